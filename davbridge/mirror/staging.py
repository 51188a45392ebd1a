"""A new enumeration after 410: gathered beside what stands, then the difference applied in one transaction.

Clients never see half of it: until the last page has come they see the old state, and our own writes. A difference that
would keep the file locked for seconds is applied in parts instead, and the drive is not live meanwhile: then Graph is
asked. The difference is looked for before the transaction, since that takes the longest and locks nobody out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from davbridge.graph.model import DriveItem
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.mirror import TTL_SECONDS
from davbridge.mirror.pen import Pen
from davbridge.mirror.rows import item_of, values
from davbridge.mirror.schema import COLUMNS

MOST_AT_ONCE = 10_000
"""Rows of one transaction: about a second on a small machine."""
_PART = 1000
_CLEARED = 5000
_STORE = f"INSERT OR REPLACE INTO staged ({COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608 - ours
_DIFFERING = """SELECT s.id FROM staged AS s LEFT JOIN items AS i ON i.id = s.id AND i.drive = s.drive
    WHERE s.drive = ? AND s.id > ? AND (i.id IS NULL OR i.etag <> s.etag OR i.parent <> s.parent OR i.name <> s.name
        OR i.size <> s.size OR i.modified <> s.modified)
    ORDER BY s.id LIMIT ?"""
_STAGED = """SELECT s.id, s.parent, s.name, s.kind, s.size, s.etag, s.ctag, s.created, s.modified, s.mime, s.hash,
    s.remote_drive, s.remote_id, '' FROM staged AS s WHERE s.id = ? AND s.drive = ?"""
_VANISHED = """SELECT i.id FROM items AS i WHERE i.drive = ? AND i.id > ? AND i.written <= ? AND i.expires < ?
    AND NOT EXISTS (SELECT 1 FROM staged AS s WHERE s.id = i.id AND s.drive = i.drive) ORDER BY i.id LIMIT ?"""
_UNCONFIRMED = """SELECT id FROM items WHERE drive = ? AND written <= ? AND fenced <= ?
    AND (expires BETWEEN 0 AND ? OR expires BETWEEN ? AND 0)"""


@dataclass(frozen=True)
class Difference:
    """Ids of what is new or other in the stage, and of what is not in it; `whole`: there is no more."""

    changed: tuple[str, ...]
    vanished: tuple[str, ...]
    whole: bool


def stage(pen: Pen, number: int, items: Iterable[DriveItem]) -> None:
    """Put a page beside what stands."""
    for item in items:
        if item.deleted:
            pen.sql.execute("DELETE FROM staged WHERE drive = ? AND id = ?", (number, item.id))
        else:
            pen.sql.execute(_STORE, values(number, item))


def clear_stage(file: MirrorFile, number: int) -> None:
    """Begin again, or be done. In small transactions: a stage may be as large as what stands."""
    cleared = _CLEARED
    while cleared == _CLEARED:
        with file.writing() as pen:
            sql = "DELETE FROM staged WHERE drive = ? AND id IN (SELECT id FROM staged WHERE drive = ? LIMIT ?)"
            cleared = pen.sql.execute(sql, (number, number, _CLEARED)).rowcount


def difference(
    file: MirrorFile, number: int, began: float, after: tuple[str, str] = ("", ""), most: int = 0
) -> Difference:
    """The first `most` (0: as many as go at once) of each kind whose ids come behind `after`."""
    most = most or MOST_AT_ONCE
    changed = file.read(_DIFFERING, (number, after[0], most + 1))
    vanished = file.read(_VANISHED, (number, after[1], began, began + TTL_SECONDS, most + 1))
    return Difference(
        tuple(row[0] for row in changed[:most]),
        tuple(row[0] for row in vanished[:most]),
        len(changed) <= most and len(vanished) <= most,
    )


def apply(pen: Pen, number: int, found: Difference, began: float) -> None:
    """Take in a difference to an enumeration that began at `began`, but for what was written or read since.

    The rounds to come tell whatever has changed after `began`.
    """
    drive_id = pen.sql.execute("SELECT id FROM drives WHERE number = ?", (number,)).fetchone()[0]
    for item_id in found.changed:
        row, known = pen.sql.execute(_STAGED, (item_id, number)).fetchone(), pen.row(number, item_id)
        if row is not None and (known is None or known["expires"] < began + TTL_SECONDS):
            pen.learn(item_of(row, drive_id), began, ttl=0.0)
    for item_id in found.vanished:
        row = pen.row(number, item_id)
        if row is not None and row["written"] <= began and row["fenced"] <= pen.now:
            pen.drop(number, item_id)


def apply_in_parts(file: MirrorFile, number: int, began: float) -> None:
    """As `apply`, for all that there is, in transactions of a moment each."""
    after = ("", "")
    whole = False
    while not whole:
        found = difference(file, number, began, after, _PART)
        after = (found.changed[-1] if found.changed else after[0], found.vanished[-1] if found.vanished else after[1])
        whole = found.whole
        with file.writing() as pen:
            pen.is_delta = True
            apply(pen, number, found, began)


def drop_unconfirmed(pen: Pen, number: int, began: float) -> None:
    """A first enumeration is whole: what it has not told of, and nobody has read since it began, is gone."""
    values = (number, began, pen.now, began + TTL_SECONDS - 0.001, -began)
    for row in pen.sql.execute(_UNCONFIRMED, values).fetchall():
        pen.drop(number, row[0])
