"""Delta rounds: from Graph's pages to the mirror's rows, a page a transaction (docs/decisions/004).

A round that breaks off (lost connection, kill) goes on at the page where it was. It must never take rows away before
the round that says so is whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from davbridge import deadline
from davbridge.errors import BadUpstream, Busy, NotFound, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.delta import DeltaPage, Resync, get_delta
from davbridge.graph.items import get_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.folder import FENCE_SECONDS
from davbridge.mirror.mirror import TTL_SECONDS
from davbridge.mirror.pen import Pen
from davbridge.mirror.staging import apply, apply_in_parts, clear_stage, difference, drop_unconfirmed, stage
from davbridge.mirror.standing import Standing, standing_of
from davbridge.mirror.sweep import settle_doubts, sweep

log = logging.getLogger(__name__)
_PAGE_SECONDS = 60.0
"""For one page, with its retries: a longer pause is the poller's to wait."""
_RECHECKS = 50
"""Of a round, at the most."""
_LOUD_PAGES = 20
"""Pages after which a long round tells how far it is."""
_RESTARTS = 3
_MERGES = ("merge", "merging")
_SET = """INSERT OR REPLACE INTO sync (drive, phase, link, next, began, synced, seen, pages, message)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class DeltaSync:
    """The rounds of one drive; to be run by one thread of all processes at a time."""

    def __init__(self, graph: Graph, drive_id: str, file: MirrorFile, name: str) -> None:
        self._graph = graph
        self._drive_id = drive_id
        self._file = file
        self.name = name

    @property
    def standing(self) -> Standing:
        """Where the drive stands."""
        return standing_of(self._file, self._file.number(self._drive_id))

    def round(self, stop: threading.Event | None = None) -> int:
        """One whole round, or what is left of one: the number of items that Graph told of. `stop` ends it early.

        Raises: BridgeError: Graph could not be asked, or the file was lost; the next call goes on from there.
        """
        standing = self._begun()
        told, links, restarts = 0, set[str](), 0
        while not (stop and stop.is_set()):
            if standing.phase in _MERGES:
                standing = self._merge(standing)
            elif standing.phase != "live" or standing.next or not links:
                link = standing.next or standing.link
                if link in links:
                    # a nextLink that led in a circle, as in the outage of 2021: start this round again
                    self._restart(standing)
                    raise BadUpstream("Graph's delta pages lead in a circle")
                links.add(link)
                since = self._file.now()
                try:
                    page = self._page(link)
                except Resync as resync:
                    restarts += 1
                    if restarts > _RESTARTS:
                        raise BadUpstream("Graph refuses the links that it has just given") from None
                    standing = self._again(standing, resync.link)
                    links.clear()
                    continue
                told += len(page.items)
                standing = self._apply(standing, page, since)
            if standing.phase == "live" and not standing.next:
                self._finish(standing)
                return told
            if standing.pages % _LOUD_PAGES == 0:
                log.info("drive %s: %d items so far", self.name, standing.seen)
        return told

    def _page(self, link: str) -> DeltaPage:
        try:
            with deadline.within(self._file.clock, _PAGE_SECONDS):
                return get_delta(self._graph, self._drive_id, link)
        except Unsupported:
            # when it comes back, the drive is enumerated beside what stands, if that was ever whole
            message = "delta is not to be had here: folders are read again when asked for"
            self._put(Standing("none", synced=self.standing.synced, message=message))
            raise

    def _finish(self, standing: Standing) -> None:
        """Tidy up after a round."""
        if standing.pages > 1:
            log.info("drive %s: %d items in %d pages", self.name, standing.seen, standing.pages)
        number = self._file.number(self._drive_id)
        if self._file.read("SELECT 1 FROM staged WHERE drive = ? LIMIT 1", (number,)):
            clear_stage(self._file, number)
        sweep(self._file)
        self._recheck()

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
        self._file.look()
        if self._file.is_lost:
            raise Busy("there is no place for the mirror")
        standing = self.standing
        if standing.next:
            return standing
        if standing.phase == "live":
            return Standing("live", standing.link, "", self._file.now(), standing.synced)
        return self._again(standing, "")

    def _again(self, standing: Standing, link: str) -> Standing:
        """Enumerate from `link`: beside what stands, if that was ever whole."""
        if standing.phase != "new":
            log.info("drive %s must be enumerated anew", self.name)
        phase = "resync" if standing.synced else "first"
        message = "enumerating anew" if standing.synced else ""
        clear_stage(self._file, self._file.number(self._drive_id))
        fresh = Standing(phase, "", link, self._file.now(), standing.synced, message=message)
        self._put(fresh)
        return fresh

    def _restart(self, standing: Standing) -> None:
        """Begin this round again, since its links lead nowhere."""
        if standing.phase == "live":
            self._put(Standing("live", standing.link, "", standing.began, standing.synced))
        else:
            self._again(standing, "")

    def _apply(self, standing: Standing, page: DeltaPage, since: float) -> Standing:
        latest: dict[str, DriveItem] = {}
        for item in page.items:
            latest.pop(item.id, None)
            latest[item.id] = item  # the last occurrence wins
        following = replace(standing, next=page.next_link, seen=standing.seen + len(latest), pages=standing.pages + 1)
        with self._changing(standing) as (pen, number):
            if standing.phase == "resync":
                stage(pen, number, latest.values())
                if page.delta_link:
                    following = replace(following, phase="merge", next=page.delta_link)
            else:
                for item in latest.values():
                    take(pen, number, item, since)
                if page.delta_link:
                    if standing.phase == "first":
                        drop_unconfirmed(pen, number, standing.began)
                    following = self._settled(pen, number, replace(following, next=page.delta_link))
            self._write(pen, following)
        return following

    def _merge(self, standing: Standing) -> Standing:
        """Apply what was gathered: at once when that takes a moment, else in parts while the drive is not live."""
        number = self._file.number(self._drive_id)
        found = difference(self._file, number, standing.began)
        if not found.whole or standing.phase == "merging":
            following = replace(standing, phase="merging")
            with self._changing(standing) as (pen, _):
                self._write(pen, following)
            standing = following
            apply_in_parts(self._file, number, standing.began)
            found = difference(self._file, number, standing.began)
        with self._changing(standing) as (pen, number):
            apply(pen, number, found, standing.began)
            following = self._settled(pen, number, standing)
            self._write(pen, following)
        return following

    @staticmethod
    def _settled(pen: Pen, number: int, standing: Standing) -> Standing:
        """A round is whole; `next` is the link for the following ones."""
        settle_doubts(pen, number, standing.began)
        began = standing.began
        return Standing("live", standing.next, "", began, began, standing.seen, standing.pages)

    @contextmanager
    def _changing(self, standing: Standing) -> Iterator[tuple[Pen, int]]:
        """A transaction that goes on from `standing`.

        Raises: Busy: the file is another one by now, or another process is at work on it.
        """
        done = False
        with self._file.writing() as pen:
            number = self._number(pen)
            row = pen.sql.execute("SELECT link, next FROM sync WHERE drive = ?", (number,)).fetchone()
            if (row[0], row[1]) != (standing.link, standing.next) if row else (standing.link or standing.next):
                raise Busy("the mirror is another one than a moment ago")
            pen.is_delta = True
            yield pen, number
            done = True
        if not done or self._file.is_lost:
            raise Busy("the mirror was lost")

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
    if row is None:
        # a folder that we have deleted ourselves; what was told of its children since must go, too
        pen.sql.execute("INSERT OR IGNORE INTO orphans VALUES (?, ?)", (number, item.id))
    elif since >= row["written"]:
        pen.drop(number, item.id)
