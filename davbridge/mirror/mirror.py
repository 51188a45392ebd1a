"""What we know of a drive, as one policy sees it: from its root down (docs/decisions/004).

* Items by id; children by folded name below their folder's id, so a renamed folder keeps its known subtree.
* While the drive is live (delta keeps the rows fresh), or for the TTL after a folder was listed, a name that is not in
  it is known not to exist.
* Our own writes are fenced: older news does not overwrite them, what we made is added to listings that miss it, and
  what we deleted is left out of them.

It must never call Graph, and never show what is neither live nor read within the TTL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from davbridge.graph.model import DriveItem
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.keys import Key, content_key, key_of, own_key
from davbridge.mirror.rows import ITEM, item_of
from davbridge.mirror.stamps import Stamps
from davbridge.mirror.standing import TRUST_SECONDS, Standing, standing_of
from davbridge.paths import DavPath, fold
from davbridge.store.database import Damaged, Row

TTL_SECONDS = 15.0
_BATCH = 200
"""Items of a transaction: no more than Graph's first page, since who looks at that alone reads no further."""
_NODE = f"{ITEM}, i.drive, i.expires, i.fenced, i.listed, i.below"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a path is known: `key` is the deepest known folder or item, `depth` names below the root.

    `item` is the fresh metadata of that deepest one, if known. `absent`: the next name is known not to exist.
    """

    key: Key
    depth: int
    item: DriveItem | None
    absent: bool = False


class _Look:
    """The facts that one question needs, each read once."""

    def __init__(self, mirror: Mirror) -> None:
        self.now = mirror.now()
        self.until = inf
        """How long the answer holds while the file stands still: 0 where single rows' times have entered it."""
        self._mirror = mirror
        self._live: dict[int, bool] = {}

    def is_live(self, number: int) -> bool:
        known = self._live.get(number)
        if known is None:
            standing = standing_of(self._mirror.file, number)
            known = self._live[number] = standing.is_live(self.now)
            self.until = min(self.until, standing.synced + TRUST_SECONDS) if known else 0.0
        return known

    def is_fresh(self, row: Row) -> bool:
        return bool(row["expires"] >= 0 and (self.is_live(row["drive"]) or row["expires"] > self.now))

    def is_whole(self, row: Row | None) -> bool:
        """Whether all children of a folder are in the table."""
        if row is None:
            self.until = 0.0
            return False
        return bool(row["listed"] >= 0 and (self.is_live(row["drive"]) or row["listed"] > self.now))

    def stamped(self, item: DriveItem, row: Row) -> DriveItem:
        """The item of a row with its stamp, if it has one at the moment."""
        if item.kind == "file" or item.remote or not self.is_live(row["drive"]):
            return item
        stamps = self._mirror.stamps(row["drive"], self.now)
        if item.id in stamps.open:
            self.until = min(self.until, stamps.until)
        return stamps.on(item, row["below"])


class Mirror:
    """Thread-safe. `root` is the key of the policy's root; times are wall-clock seconds.

    `watched`: the drive that delta is asked about, in the spelling of keys; a root that a shortcut leads to lies on
    another one.
    """

    def __init__(self, file: MirrorFile, root: Key, *, ttl: float = TTL_SECONDS, watched: str = "") -> None:
        self.file = file
        self.root = root
        self.ttl = ttl
        self._watched = watched or root[0]
        self._name = "/".join(root)

    def now(self) -> float:
        """Take this before a read begins and hand it to `learn`: news is as old as its request."""
        return self.file.now()

    # -- asking

    def locate(self, path: DavPath) -> Place:
        """Follow `path` from the root as far as fresh knowledge goes."""
        until, place = self.file.remember((self._name, path.names), lambda: self._locate(path))
        # of what does not hold while the file stands still, a copy is worth nothing
        return place if until > self.now() else self._locate(path)[1]

    def _locate(self, path: DavPath) -> tuple[float, Place]:
        """The place, and how long it holds while nobody writes into the file; 0: not at all."""
        look = _Look(self)
        place = self._follow(look, path)
        return look.until, place

    def _follow(self, look: _Look, path: DavPath) -> Place:
        place, whole = self._walk(look, self.root, 0, path)
        if whole or place.absent:
            return place
        look.until = 0.0
        folded = path.folded
        aliases = self._aliases(folded, place.depth, look.now)
        for depth in range(len(folded), place.depth, -1):
            found = aliases.get(_text(folded[:depth]), ...)
            if found is None and depth == len(folded):
                return replace(place, absent=place.depth == depth - 1)
            if isinstance(found, tuple):
                return self._walk(look, found, depth, path)[0]
        return place

    def is_absent(self, path: DavPath) -> bool:
        """True when the item, or a folder above it, is known not to exist."""
        place = self.locate(path)
        if place.absent:
            return True
        if place.depth == len(path.names):
            return False
        folded = path.folded
        return self._aliases(folded, len(folded) - 1, self.now()).get(_text(folded), ...) is None

    def fenced(self, folder: Key, name: str) -> DriveItem | None:
        """What we wrote at that name within the last minute, also when it is too old to be shown unasked."""
        row = self._child(folder, name)
        return self._item(row) if row is not None and row["fenced"] > self.now() else None

    def is_written(self, path: DavPath) -> bool:
        """Whether we wrote something at `path` within the last minute, by rows that may be too old to be shown."""
        return self._written(path) is not None

    def children(self, folder: Key) -> Iterator[DriveItem] | None:
        """All children when the folder is completely known, else None. A one-pass stream from one moment."""
        if not _Look(self).is_whole(self._row(folder)) or self._has_doubts(folder):
            return None
        try:
            return self.known_children(folder)
        except Damaged:
            return None

    def known_children(self, folder: Key) -> Iterator[DriveItem]:
        """The children that are known, in the order of their folded names. Raises: Damaged: at once, or in between."""
        number = self.file.number(folder[0])
        stamps = self.stamps(number, self.now()) if self._live(number) else None
        sql = f"""SELECT {ITEM}, i.below FROM items AS i INDEXED BY items_by_name
            WHERE i.drive = ? AND i.parent = ? ORDER BY i.fold"""  # noqa: S608 - ours
        rows = self.file.stream(sql, (number, folder[1]))
        if stamps is None:
            return (item_of(row, folder[0]) for row in rows)
        return (stamps.on(item_of(row, folder[0]), row[14]) for row in rows)

    def stamps(self, number: int, now: float) -> Stamps:
        """The stamps of a live drive's folders."""
        return Stamps.at(self.file, number, now, self.ttl)

    def is_live(self) -> bool:
        """Whether the policy's drive is kept fresh by delta at the moment."""
        return self._live(self.file.number(self.root[0]))

    def is_followed(self, drive_id: str) -> bool:
        """Whether a drive's changes are told, now or as soon as they can be: not with `poll: 0`, nor without delta."""
        return drive_id == self._watched and self.file.is_polled and self.standing.phase != "none"

    @property
    def is_at_home(self) -> bool:
        """Whether the root lies on the drive that delta is asked about."""
        return self.root[0] == self._watched

    @property
    def standing(self) -> Standing:
        """Where delta stands with the drive that it is asked about."""
        return standing_of(self.file, self.file.number(self._watched))

    # -- learning from reads

    def learn(self, item: DriveItem, since: float, *, certain: bool = False) -> DriveItem | None:
        """Take in what a read that began at `since` told; returns what to believe, None when we deleted it.

        `certain`: read by id, which does not lag (§12.2).
        """
        with self.file.reading() as pen:
            return pen.learn(item, since, ttl=self.ttl, certain=certain)
        return item

    def learn_alias(self, path: DavPath, item: DriveItem) -> None:
        """`item` was found at `path` below the root; its folder's id is then known, too."""
        if path.is_root or item.deleted or self.locate(path).depth == len(path.names):
            return
        folded, until = path.folded, self.now() + self.ttl
        drive_id, item_id = content_key(item)
        rows = [(self._name, _text(folded), drive_id, item_id)]
        if item.parent_id and len(folded) > 1 and self.locate(path.parent).depth < len(folded) - 1:
            rows.append((self._name, _text(folded[:-1]), item.drive_id, item.parent_id))
        with self.file.reading() as pen:
            for root, text, drive, known in rows:
                pen.sql.execute(
                    "INSERT OR REPLACE INTO paths VALUES (?, ?, ?, ?, ?)", (root, text, pen.number(drive), known, until)
                )

    def learn_absent(self, path: DavPath, since: float | None = None) -> None:
        """A look-up of `path` that began at `since` said that there is nothing; what we wrote there later stays."""
        place = self.locate(path.parent)
        with self.file.reading() as pen:
            child = self._child(place.key, path.name) if place.depth == len(path.names) - 1 else None
            aliases = pen.sql.execute(
                "SELECT drive, id FROM paths WHERE root = ? AND path = ? AND id IS NOT NULL",
                (self._name, _text(path.folded)),
            ).fetchall()
            rows = [pen.row(one["drive"], one["id"]) for one in (*([child] if child is not None else []), *aliases)]
            if since is not None and any(row is not None and row["written"] > since for row in rows):
                return
            if child is not None:
                pen.drop(child["drive"], child["id"])
            self._set_absent(pen.sql, path)

    def listing(self, folder: Key, items: Iterable[DriveItem], since: float) -> Iterator[DriveItem]:
        """Take a folder's listing in, batch by batch, and pass on what is to be believed of it.

        When it was read to its end, what the table has besides is dropped, unless it is ours and fenced, and the folder
        is complete.
        """
        seen: set[str] = set()
        batch: list[DriveItem] = []
        for item in items:
            batch.append(item if item.parent_id else replace(item, parent_id=folder[1]))
            if len(batch) == _BATCH:
                yield from self._take(folder, batch, seen, since)
                batch = []
        yield from self._take(folder, batch, seen, since)
        yield from self._finish(folder, seen, since)

    # -- learning from our own writes

    def wrote(self, item: DriveItem) -> DriveItem:
        """Our write made `item` as it is: it is the truth, and fenced. Returns it with its tag."""
        with self.file.writing() as pen:
            return pen.wrote(item, ttl=self.ttl)
        return item

    def wrote_empty_folder(self, item: DriveItem) -> None:
        """As `wrote`, for a folder that we have just made: nothing is in it."""
        with self.file.writing() as pen:
            pen.wrote(item, ttl=self.ttl, listed=self.now() + self.ttl)

    def expect(self, item: DriveItem) -> None:
        """We made `item` without being told all about it: its id is known and fenced, the rest must be read."""
        with self.file.writing() as pen:
            pen.expect(item)

    def removed(self, item: DriveItem) -> None:
        """We deleted `item`, or replaced it by another."""
        with self.file.writing() as pen:
            pen.removed(item)

    def removed_path(self, path: DavPath) -> None:
        """We deleted what was at `path`, without knowing it."""
        place = self.locate(path.parent)
        written = self._written(path)
        with self.file.writing() as pen:
            if written is not None:
                pen.removed(written)
            if place.depth == len(path.names) - 1:
                if (row := self._child(place.key, path.name)) is not None:
                    pen.drop(row["drive"], row["id"])
                pen.doubt(pen.number(place.key[0]), place.key[1], listed=True)
            pen.forget_aliases(0, "", "folder")
            self._set_absent(pen.sql, path)

    # -- doubting

    def forget(self, item: DriveItem) -> None:
        """Reality was found to differ: do not rely on the item, nor on its folder's completeness."""
        with self.file.writing() as pen:
            number = pen.number(item.drive_id)
            pen.doubt(number, item.id, expires=True, listed=True)
            pen.doubt(number, item.parent_id, listed=True)
            pen.forget_aliases(number, item.id, "folder")

    def forget_key(self, key: Key) -> None:
        """As `forget`, for an item of which only the key is at hand."""
        row = self._row(key)
        with self.file.writing() as pen:
            number = pen.number(key[0])
            pen.doubt(number, key[1], expires=True, listed=True)
            if row is not None:
                pen.doubt(number, row["parent"], listed=True)
            pen.forget_aliases(number, key[1], "folder")

    def forget_children(self, folder: Key) -> None:
        """Something changed in the folder that we cannot describe: list it anew when asked."""
        with self.file.writing() as pen:
            pen.doubt(pen.number(folder[0]), folder[1], listed=True)
            pen.forget_absence()

    def forget_path(self, path: DavPath) -> None:
        """A path turned out to be other than thought: the next question about it is put to Graph."""
        place = self.locate(path.parent)
        with self.file.writing() as pen:
            pen.sql.execute("DELETE FROM paths WHERE root = ? AND path = ?", (self._name, _text(path.folded)))
            if place.depth == len(path.names) - 1:
                row = self._child(place.key, path.name)
                if row is None:
                    pen.doubt(pen.number(place.key[0]), place.key[1], listed=True)
                else:
                    pen.doubt(row["drive"], row["id"], expires=True)

    def clear(self) -> None:
        """Know nothing any more."""
        self.file.clear()

    # -- inside

    def _walk(self, look: _Look, start: Key, depth: int, path: DavPath) -> tuple[Place, bool]:
        """The place from `start`, which lies `depth` names below the root, and whether it is the whole path."""
        row = self._row(start)
        key, item = start, self._item(row) if row is not None and look.is_fresh(row) else None
        for name in path.names[depth:]:
            whole = look.is_whole(row)
            child = self._child(key, name)
            if child is None:
                return Place(key, depth, item, absent=whole), False
            if child["expires"] < 0 or not (whole or look.is_fresh(child)):
                return Place(key, depth, item), False
            item = self._item(child)
            depth += 1
            if item.remote:
                key = content_key(item)
                row = self._row(key)
            else:
                key, row = own_key(item), child
        if item is not None and row is not None:
            item = look.stamped(item, row)
        return Place(key, depth, item), True

    def _has_doubts(self, folder: Key) -> bool:
        """Whether a child must be read before it may be shown."""
        sql = """SELECT 1 FROM doubts AS d JOIN items AS i ON i.drive = d.drive AND i.id = d.id
            WHERE d.drive = ? AND i.parent = ? AND i.expires < 0 LIMIT 1"""
        return bool(self.file.read(sql, (self.file.number(folder[0]), folder[1])))

    def _written(self, path: DavPath) -> DriveItem | None:
        """What we wrote at `path` within the last minute, by rows that may be too old to be shown."""
        key, row = self.root, None
        for name in path.names:
            row = self._child(key, name)
            if row is None:
                return None
            key = content_key(self._item(row))
        return self._item(row) if row is not None and row["fenced"] > self.now() else None

    def _row(self, key: Key) -> Row | None:
        sql = f"SELECT {_NODE} FROM items AS i WHERE i.drive = ? AND i.id = ?"  # noqa: S608 - ours
        rows = self.file.read(sql, (self.file.number(key[0]), key[1]))
        return rows[0] if rows else None

    def _child(self, folder: Key, name: str) -> Row | None:
        """The child of that name: spelt so, or else the last that Graph told of."""
        sql = f"""SELECT {_NODE} FROM items AS i INDEXED BY items_by_name
            WHERE i.drive = ? AND i.parent = ? AND i.fold = ?
            ORDER BY i.name = ? DESC, i.seq DESC LIMIT 1"""  # noqa: S608 - ours
        rows = self.file.read(sql, (self.file.number(folder[0]), folder[1], fold(name), name))
        return rows[0] if rows else None

    def _item(self, row: Row) -> DriveItem:
        return item_of(row, self.file.drive_id(row["drive"]))

    def _live(self, number: int) -> bool:
        return standing_of(self.file, number).is_live(self.now())

    def _aliases(self, folded: tuple[str, ...], depth: int, now: float) -> dict[str, Key | None]:
        """What look-ups told of the path itself and of the folders above it, down from `depth`."""
        texts = [_text(folded[:number]) for number in range(depth + 1, len(folded) + 1)]
        marks = ", ".join("?" * len(texts))
        sql = f"SELECT path, drive, id FROM paths WHERE root = ? AND until > ? AND path IN ({marks})"  # noqa: S608 - ours
        rows = self.file.read(sql, (self._name, now, *texts))
        return {row["path"]: (self.file.drive_id(row["drive"]), row["id"]) if row["id"] else None for row in rows}

    def _set_absent(self, sql: object, path: DavPath) -> None:
        until = self.now() + self.ttl
        values = (self._name, _text(path.folded), None, None, until)
        sql.execute("INSERT OR REPLACE INTO paths VALUES (?, ?, ?, ?, ?)", values)  # type: ignore[attr-defined]
        sql.execute("DELETE FROM paths WHERE until < ?", (self.now(),))  # type: ignore[attr-defined]

    def _take(self, folder: Key, batch: list[DriveItem], seen: set[str], since: float) -> list[DriveItem]:
        shown: list[DriveItem] = []
        fresh, whole = set[str](), False
        with self.file.reading() as pen:
            for item in batch:
                believed = pen.learn(item, since, ttl=self.ttl)
                if believed is None or key_of(believed.drive_id, believed.parent_id) != folder:
                    continue
                if believed.id not in seen:  # pages repeat an item when the folder changes meanwhile (§12.6)
                    seen.add(believed.id)
                    fresh.add(believed.id)
                    shown.append(believed)
            whole = True
        if not whole:  # the file was lost in the middle of it: then what Graph says is all there is
            shown = [item for item in batch if item.id in fresh or item.id not in seen]
            seen.update(item.id for item in batch)
        return shown

    def _finish(self, folder: Key, seen: set[str], since: float) -> list[DriveItem]:
        """Add what we wrote and the listing missed; drop the rest; remember the folder as complete."""
        ours: list[DriveItem] = []
        with self.file.reading() as pen:
            number = pen.number(folder[0])
            sql = (
                f"SELECT {_NODE}, i.written FROM items AS i INDEXED BY items_by_name WHERE i.drive = ? AND i.parent = ?"  # noqa: S608 - ours
            )
            for row in pen.sql.execute(sql, (number, folder[1])).fetchall():
                if row["id"] in seen:
                    continue
                if row["written"] > since or row["fenced"] > pen.now:
                    ours.append(self._item(row))
                else:
                    pen.drop(number, row["id"])
            pen.sql.execute(
                "UPDATE items SET listed = ? WHERE drive = ? AND id = ?", (since + self.ttl, number, folder[1])
            )
        return ours


def _text(folded: tuple[str, ...]) -> str:
    return "/".join(folded)
