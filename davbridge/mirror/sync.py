"""Delta rounds: from Graph's pages to the mirror's rows, a page a transaction (docs/decisions/004).

A round that breaks off (lost connection, kill) goes on at the page where it was. It must never take rows away before
the round that says so is whole.
"""

from __future__ import annotations

import logging
import threading

from davbridge.errors import BadUpstream, NotFound, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.delta import DeltaPage, Resync, get_delta
from davbridge.graph.items import get_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.folder import FENCE_SECONDS
from davbridge.mirror.mirror import TTL_SECONDS
from davbridge.mirror.pen import Pen
from davbridge.mirror.staging import clear_stage, merge_stage, stage
from davbridge.mirror.standing import Standing, standing_of
from davbridge.mirror.sweep import settle_doubts, sweep

log = logging.getLogger(__name__)
_RECHECKS = 50
"""Of a round, at the most."""
_LOUD_PAGES = 20
"""Pages after which a long round tells how far it is."""
_SET = """INSERT OR REPLACE INTO sync (drive, phase, link, next, began, synced, seen, pages, message)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class DeltaSync:
    """The rounds of one drive; to be run by one thread of all processes at a time."""

    def __init__(self, graph: Graph, drive_id: str, file: MirrorFile, name: str) -> None:
        self._graph = graph
        self._drive_id = drive_id
        self._file = file
        self._name = name

    @property
    def standing(self) -> Standing:
        """Where the drive stands."""
        return standing_of(self._file, self._file.number(self._drive_id))

    def round(self, stop: threading.Event | None = None) -> int:
        """One whole round, or what is left of one: the number of items that Graph told of. `stop` ends it early.

        Raises: BridgeError: Graph could not be asked; the next call goes on from there.
        """
        standing = self._begun()
        told, links = 0, set[str]()
        while not (stop and stop.is_set()):
            link = standing.next or standing.link
            if link in links:
                # a nextLink that led in a circle, as in the outage of 2021: start this round again
                self._put(Standing(standing.phase, standing.link, "", standing.began, standing.synced))
                raise BadUpstream("Graph's delta pages lead in a circle")
            links.add(link)
            since = self._file.now()
            try:
                page = get_delta(self._graph, self._drive_id, link)
            except Resync as resync:
                standing = self._again(standing, resync.link)
                links.clear()
                continue
            except Unsupported:
                self._put(
                    Standing("none", message="delta is not to be had here: folders are read again when asked for")
                )
                raise
            told += len(page.items)
            standing = self._apply(standing, page, since)
            if page.delta_link:
                sweep(self._file)
                self._recheck()
                if standing.pages > 1 and standing.phase == "live":
                    log.info("drive %s: %d items in %d pages", self._name, standing.seen, standing.pages)
                return told
            if standing.pages % _LOUD_PAGES == 0:
                log.info("drive %s: %d items so far", self._name, standing.seen)
        return told

    def _recheck(self) -> None:
        """Read what delta told and the fence refused, now that the fence has fallen: delta tells nothing twice."""
        due = self._file.now() - FENCE_SECONDS
        sql = """SELECT r.id, d.id AS drive FROM rechecks AS r JOIN drives AS d ON d.number = r.drive
            WHERE r.at < ? LIMIT ?"""
        for row in self._file.read(sql, (due, _RECHECKS)):
            since = self._file.now()
            try:
                item = get_item(self._graph, ItemRef(row["drive"], row["id"]))
            except NotFound:
                item = None
            with self._file.writing() as pen:
                number = pen.number(row["drive"])
                if item is None:
                    pen.drop(number, row["id"])
                else:
                    pen.learn(item, since, ttl=TTL_SECONDS, certain=True)
                pen.sql.execute("DELETE FROM rechecks WHERE drive = ? AND id = ?", (number, row["id"]))

    def _begun(self) -> Standing:
        """The standing at the start of a round, or in the middle of the one that was broken off."""
        standing = self.standing
        if standing.next:
            return standing
        if standing.phase == "resync":
            return standing
        phase = "live" if standing.link else "first"
        return Standing(phase, standing.link, "", self._file.now(), standing.synced)

    def _again(self, standing: Standing, link: str) -> Standing:
        """Enumerate from `link`: beside what stands, if that was ever whole."""
        log.info("drive %s must be enumerated anew", self._name)
        phase = "resync" if standing.synced else "first"
        fresh = Standing(phase, "", link, self._file.now(), standing.synced, message="enumerating anew")
        with self._file.writing() as pen:
            clear_stage(pen, self._number(pen))
            self._write(pen, fresh)
        return fresh

    def _apply(self, standing: Standing, page: DeltaPage, since: float) -> Standing:
        latest: dict[str, DriveItem] = {}
        for item in page.items:
            latest.pop(item.id, None)
            latest[item.id] = item  # the last occurrence wins
        following = Standing(
            standing.phase,
            standing.link,
            page.next_link,
            standing.began,
            standing.synced,
            standing.seen + len(latest),
            standing.pages + 1,
        )
        with self._file.writing() as pen:
            pen.is_delta = True
            number = self._number(pen)
            if standing.phase == "resync":
                stage(pen, number, latest.values())
            else:
                for item in latest.values():
                    take(pen, number, item, since)
            if page.delta_link:
                if standing.phase == "resync":
                    merge_stage(pen, number, standing.began)
                settle_doubts(pen, number, standing.began)
                following = Standing(
                    "live", page.delta_link, "", standing.began, standing.began, following.seen, following.pages
                )
            self._write(pen, following)
        return following

    def _number(self, pen: Pen) -> int:
        return pen.number(self._drive_id)

    def _put(self, standing: Standing) -> None:
        with self._file.writing() as pen:
            self._write(pen, standing)

    def _write(self, pen: Pen, standing: Standing) -> None:
        row = (standing.phase, standing.link, standing.next, standing.began, standing.synced)
        pen.sql.execute(_SET, (self._number(pen), *row, standing.seen, standing.pages, standing.message))


def take(pen: Pen, number: int, item: DriveItem, since: float) -> None:
    """What delta says of one item, unless we know better: we have written it since the page was asked for."""
    if not item.deleted:
        pen.learn(item, since, ttl=TTL_SECONDS)
        return
    row = pen.row(number, item.id)
    if row is not None and since >= row["written"]:
        pen.drop(number, item.id)
