"""A new enumeration after 410: gathered beside what stands, then the difference applied in one transaction.

Clients never see half of it: until the last page has come they see the old state, and our own writes.
"""

from __future__ import annotations

from collections.abc import Iterable

from davbridge.graph.model import DriveItem
from davbridge.mirror.pen import Pen
from davbridge.mirror.rows import item_of, values
from davbridge.mirror.schema import COLUMNS

_BATCH = 2000
_STORE = f"INSERT OR REPLACE INTO staged ({COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608 - ours
_DIFFERING = """SELECT s.id, s.parent, s.name, s.kind, s.size, s.etag, s.ctag, s.created, s.modified, s.mime, s.hash,
    s.remote_drive, s.remote_id, '',
    i.id IS NULL OR i.etag <> s.etag OR i.parent <> s.parent OR i.name <> s.name OR i.size <> s.size
        OR i.modified <> s.modified AS differs
    FROM staged AS s LEFT JOIN items AS i ON i.drive = s.drive AND i.id = s.id
    WHERE s.drive = ? AND s.id > ? ORDER BY s.id LIMIT ?"""
_VANISHED = """SELECT i.id, i.written, i.fenced, s.id IS NULL AS vanished
    FROM items AS i LEFT JOIN staged AS s ON s.drive = i.drive AND s.id = i.id
    WHERE i.drive = ? AND i.id > ? ORDER BY i.id LIMIT ?"""


def stage(pen: Pen, number: int, items: Iterable[DriveItem]) -> None:
    """Put a page beside what stands."""
    for item in items:
        if item.deleted:
            pen.sql.execute("DELETE FROM staged WHERE drive = ? AND id = ?", (number, item.id))
        else:
            pen.sql.execute(_STORE, values(number, item))


def clear_stage(pen: Pen, number: int) -> None:
    """Begin again."""
    pen.sql.execute("DELETE FROM staged WHERE drive = ?", (number,))


def merge_stage(pen: Pen, number: int, began: float) -> None:
    """Make what stands the same as the enumeration that began at `began`, but for what we have written since."""
    drive_id = pen.sql.execute("SELECT id FROM drives WHERE number = ?", (number,)).fetchone()[0]
    last = ""
    while rows := pen.sql.execute(_DIFFERING, (number, last, _BATCH)).fetchall():
        last = rows[-1][0]
        for row in rows:
            if row["differs"]:
                pen.learn(item_of(row, drive_id), began, ttl=0.0)
    last = ""
    while rows := pen.sql.execute(_VANISHED, (number, last, _BATCH)).fetchall():
        last = rows[-1][0]
        for row in rows:
            if row["vanished"] and row["written"] <= began and row["fenced"] <= pen.now:
                pen.drop(number, row["id"])
    clear_stage(pen, number)
