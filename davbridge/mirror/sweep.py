"""What is tidied after a round: rows below folders that went, doubts that the round has settled, old notes."""

from __future__ import annotations

from davbridge.mirror.changes import forget_removals
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.pen import Pen

_BATCH = 1000


def settle_doubts(pen: Pen, number: int, began: float) -> None:
    """A round that began after a doubt has brought the truth, unless the row still lacks what only a read tells."""
    rows = pen.sql.execute("SELECT id FROM doubts WHERE drive = ? AND at < ?", (number, began)).fetchall()
    for row in rows:
        values = (number, row["id"])
        pen.sql.execute("UPDATE items SET listed = 0 WHERE drive = ? AND id = ? AND listed < 0", values)
        told = "kind <> 'file' OR etag <> ''"
        pen.sql.execute(f"UPDATE items SET expires = 0 WHERE drive = ? AND id = ? AND expires < 0 AND ({told})", values)  # noqa: S608 - ours
        pen.sql.execute(
            "DELETE FROM doubts WHERE drive = ? AND id = ? AND NOT EXISTS"
            " (SELECT 1 FROM items AS i WHERE i.drive = doubts.drive AND i.id = doubts.id AND i.expires < 0)",
            values,
        )


def sweep(file: MirrorFile) -> None:
    """Remove what nobody can reach any more, in small transactions."""
    while _sweep_orphans(file):
        pass
    with file.writing() as pen:
        pen.forget_gone()
        pen.sql.execute("DELETE FROM paths WHERE until < ?", (pen.now,))
        forget_removals(pen.sql)


def _sweep_orphans(file: MirrorFile) -> bool:
    """One transaction of it; whether there is more."""
    if not file.read("SELECT 1 FROM orphans LIMIT 1"):
        return False
    with file.writing() as pen:
        left = _BATCH
        for orphan in pen.sql.execute("SELECT drive, id FROM orphans LIMIT ?", (_BATCH,)).fetchall():
            where = (orphan["drive"], orphan["id"])
            if pen.row(*where) is None:
                left -= _remove_children(pen, *where, left)
                if left <= 0:
                    return True  # this one may have more
            pen.sql.execute("DELETE FROM orphans WHERE drive = ? AND id = ?", where)
    return True


def _remove_children(pen: Pen, number: int, folder: str, most: int) -> int:
    sql = "SELECT id, kind FROM items INDEXED BY items_by_name WHERE drive = ? AND parent = ? LIMIT ?"
    rows = pen.sql.execute(sql, (number, folder, most)).fetchall()
    pen.sql.executemany("DELETE FROM items WHERE drive = ? AND id = ?", [(number, row["id"]) for row in rows])
    folders = [(number, row["id"]) for row in rows if row["kind"] != "file"]
    pen.sql.executemany("INSERT OR IGNORE INTO orphans VALUES (?, ?)", folders)
    return len(rows)
