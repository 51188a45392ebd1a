"""What has changed below a folder since a token (RFC 6578), out of `items` and `removals`.

The *effective* number of an item is that of its last change, or of the last change of place of a folder above it,
whichever is later: when a folder moves, all below it is at a new path. Changes are told in the order of these numbers,
so a limit may cut anywhere, also amid one moved folder; what changes meanwhile gets a later number and is told again.

What this expects of whoever fills the tables, beyond `schema.py`: a folder's `below` is never less than the number of
anything that has changed, come or gone below it since a first token may have been given; whatever leaves a path as it
is spelt (deletion, move, rename, also in case only) leaves a row in `removals`, with a number not greater than what
comes to the path then; and the drive's root has no row, or one with an empty parent. Removals of what was below a
removed folder may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from davbridge.errors import StaleToken
from davbridge.mirror.finding import DEEPEST, SHOWN, WALKED, Reads
from davbridge.mirror.rows import ITEM
from davbridge.mirror.tokens import Place, Token
from davbridge.paths import DavPath
from davbridge.store.database import Row, Transaction

KEPT_REMOVALS = 100_000
_PRUNED = "removals-pruned"


@dataclass(frozen=True, slots=True)
class Told:
    """A change: the row (`rows.ITEM`, then `below`) that is at `path` now; None: nothing is any more."""

    path: DavPath
    row: Row | None
    folder: bool


@dataclass(frozen=True, slots=True)
class Page:
    """`token` goes on where `told` ends; `more`: there is something to go on with."""

    told: tuple[Told, ...]
    token: str
    more: bool


@dataclass(frozen=True, slots=True)
class Question:
    """`folder` is the id, `where` the path that the answer's paths begin with; `epoch` and `now` the two counters.

    `now` must have been read before the question is asked; `since` empty: everything. `limit` None: no limit.
    """

    drive: int
    folder: str
    where: DavPath
    since: str
    epoch: int
    now: int
    deep: bool
    limit: int | None = None


def changes(file: Reads, question: Question) -> Page:
    """The changes, in order, up to the limit, or up to where a path would be told a second time.

    Raises:
        StaleToken: not ours, too old for the removals that are kept, or the folder itself came to its path since.
    """
    since = Token.parse(question.since, question.epoch) if question.since else Token.start(question.now)
    if max(since.place.seq, since.removals) > question.now:
        # made up, or of a file that was put back to an earlier state
        raise StaleToken("the sync token is not known here")
    if _pruned(file) > since.floor:
        raise StaleToken("the sync token is too old")
    base = _base(file, question, since)
    items = _items(file, question, since)
    cut = question.limit is not None and len(items) > question.limit
    removals = _removals(file, question, since, base, items[-1].place.seq if cut else None)
    events = sorted([*items, *removals], key=lambda event: event.place)
    page = _Page(file, question)
    place = since.place
    for event in events:
        told = page.resolve(event)
        if told is not None and not page.take(told):
            return Page(tuple(page.told), Token(since.removals, place).text(question.epoch), more=True)
        place = event.place
    return Page(tuple(page.told), Token.at(question.now).text(question.epoch), more=False)


def forget_removals(transaction: Transaction, keep: int = KEPT_REMOVALS) -> None:
    """Keep the last `keep` removals; tokens from before the others are stale from now on."""
    boundary = transaction.execute(
        "SELECT number FROM removals ORDER BY number DESC LIMIT 1 OFFSET ?", (keep,)
    ).fetchone()
    if boundary is not None:
        transaction.execute(
            """INSERT INTO counters SELECT ?, max(seq) FROM removals WHERE number <= ?
                ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)""",
            (_PRUNED, boundary["number"]),
        )
        transaction.execute("DELETE FROM removals WHERE number <= ?", (boundary["number"],))


@dataclass(frozen=True, slots=True)
class _Event:
    """A row of `items` or of `removals` in its place; `path` below the folder, folded for removals."""

    place: Place
    path: tuple[str, ...]
    row: Row
    removal: bool


def _pruned(file: Reads) -> int:
    rows = file.read("SELECT value FROM counters WHERE name = ?", (_PRUNED,))
    return int(rows[0]["value"]) if rows else 0


def _base(file: Reads, question: Question, since: Token) -> str:
    """The folder's own folded path in the drive, as `removals` has them.

    A token from before the folder, or one above it, came to its path belongs to what was there then: it is stale.
    """
    names: list[str] = []
    folder = question.folder
    for _ in range(DEEPEST):
        rows = file.read("SELECT parent, fold, placed FROM items WHERE drive = ? AND id = ?", (question.drive, folder))
        if not rows or not rows[0]["parent"]:
            break
        if rows[0]["placed"] > max(since.removals, since.place.seq):
            raise StaleToken("the folder has come to its path since the sync token was given")
        names.append(rows[0]["fold"])
        folder = rows[0]["parent"]
    return "".join("/" + name for name in reversed(names))


def _items(file: Reads, question: Question, since: Token) -> list[_Event]:
    """One more than the limit, to know whether there is more. Trees in which nothing has happened are not read."""
    place = since.place
    # a first enumeration looks everywhere: `below` is only kept once tokens may have been given
    news = 0 if since.enumerates else place.seq
    # INDEXED BY: as in `finding.find`
    sql = f"""
        WITH RECURSIVE folders (id, path, depth, moved) AS (
            SELECT ?, '', 0, 0
            UNION ALL
            SELECT i.id, f.path || '/' || i.name, f.depth + 1, max(f.moved, i.placed)
            FROM folders f CROSS JOIN items i INDEXED BY items_by_name ON i.drive = ? AND i.parent = f.id
            WHERE ? AND {WALKED} AND f.depth < {DEEPEST} AND max(f.moved, i.placed, i.below) >= ?),
        told AS (
            SELECT {ITEM}, i.below, f.path || '/' || i.name AS path, f.depth + 1 AS depth,
                max(f.moved, i.placed, i.seq) AS effective
            FROM folders f CROSS JOIN items i INDEXED BY items_by_name ON i.drive = ? AND i.parent = f.id
            WHERE {SHOWN})
        SELECT * FROM told WHERE effective >= ? AND (effective, depth, id) > (?, ?, ?)
        ORDER BY effective, depth, id LIMIT ?"""  # noqa: S608 - all of it is ours
    limit = -1 if question.limit is None else question.limit + 1
    values = (question.folder, question.drive, question.deep, news, question.drive, place.seq)
    rows = file.read(sql, (*values, place.seq, place.rank, place.tie, limit))
    return [
        _Event(Place(row["effective"], row["depth"], row["id"]), tuple(row["path"].split("/")[1:]), row, removal=False)
        for row in rows
    ]


def _removals(file: Reads, question: Question, since: Token, base: str, last: int | None) -> Iterator[_Event]:
    place = since.place
    number = int(place.tie or 0) if place.rank == 0 else 2**62
    sql = """
        SELECT number, seq, path, name, folder FROM removals
        WHERE drive = ? AND seq > ? AND (seq, number) > (?, ?) AND seq <= ? AND path > ? AND path < ?"""
    values = (question.drive, since.removals, place.seq, number, 2**62 if last is None else last)
    for row in file.read(sql, (*values, base + "/", base + "0")):
        path = tuple(row["path"][len(base) + 1 :].split("/"))
        if question.deep or len(path) == 1:
            yield _Event(Place(row["seq"], 0, f"{row['number']:018}"), path, row, removal=True)


@dataclass(slots=True)
class _Page:
    """The answer as it grows."""

    file: Reads
    question: Question
    told: list[Told] = field(default_factory=list)
    _come: set[tuple[str, ...]] = field(default_factory=set)
    _gone: set[tuple[str, ...]] = field(default_factory=set)
    _folders: dict[tuple[str, ...], tuple[str, tuple[str, ...]] | None] = field(default_factory=dict)

    def resolve(self, event: _Event) -> Told | None:
        """What is to be told of it; None for a removal that something else tells, or that is not one any more."""
        where, row = self.question.where, event.row
        if not event.removal:
            return Told(where.join(DavPath(event.path)), row, row["kind"] != "file")
        folder = self._folder(event.path[:-1])
        if folder is None:
            return None  # the folder that it was in has left this path, too, and later: that is told
        identity, names = folder
        there = self._child(identity, event.path[-1], row["name"])
        # a path in use again is told as changed; but a client keeps what it has below a folder that has only changed,
        # so where a folder is in another's place, that one is first told to be gone
        replaced = self.question.deep and row["folder"] and there is not None and there["kind"] != "file"
        if there is not None and there["name"] == row["name"] and not replaced:
            return None
        return Told(where.join(DavPath((*names, row["name"]))), None, bool(row["folder"]))

    def take(self, told: Told) -> bool:
        """Put it into the answer; False when the answer ends here: it is full, or has told of the path already."""
        key = told.path.folded
        if told.row is None and key in self._gone:
            return True
        full = self.question.limit is not None and len(self.told) >= self.question.limit
        again = key in self._come or any(key[:length] in self._gone for length in range(1, len(key) + 1))
        if full or (again and (told.row is not None or key in self._come)):
            return False
        (self._gone if told.row is None else self._come).add(key)
        self.told.append(told)
        return True

    def _folder(self, path: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
        """The id and the names as spelt of a folder below, if it is one and there."""
        if not path:
            return self.question.folder, ()
        if path not in self._folders:
            self._folders[path] = self._look(path)
        return self._folders[path]

    def _look(self, path: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
        above = self._folder(path[:-1])
        row = self._child(above[0], path[-1]) if above else None
        if above is None or row is None or row["kind"] != "folder" or row["remote_id"]:
            return None
        return row["id"], (*above[1], row["name"])

    def _child(self, folder: str, name: str, spelt: str = "") -> Row | None:
        rows = self.file.read(
            f"""SELECT i.id, i.name, i.kind, i.remote_id FROM items i
                WHERE i.drive = ? AND i.parent = ? AND i.fold = ? AND {SHOWN}
                ORDER BY i.name = ? DESC, i.seq DESC LIMIT 1""",  # noqa: S608 - ours
            (self.question.drive, folder, name, spelt),
        )
        return rows[0] if rows else None
