"""One write transaction of the mirror: takes items in, drops them, and numbers every visible change.

Why here: whoever writes (reads of Graph, our own writes, delta) must keep the same books: which row is the truth (the
fence), the sequence, `below` of the folders above, and what left which path. It must never call Graph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from davbridge.graph.model import DriveItem
from davbridge.mirror.keys import key_of
from davbridge.mirror.rows import item_of, shown, values
from davbridge.mirror.schema import COLUMNS
from davbridge.mirror.tags import next_tag
from davbridge.mirror.versions import is_older
from davbridge.paths import fold
from davbridge.store.database import Row, Transaction

LONGEST_CHAIN = 200
"""Folders above an item: more is a circle, which only wrong news can make."""
_TABLES = ("drives", "items", "gone", "orphans", "rechecks", "doubts", "removals", "paths", "staged", "sync")
_FACTS = "tag, expires, written, fenced, seq, placed, below, listed"
_STORE = f"INSERT OR REPLACE INTO items ({COLUMNS}, {_FACTS}) VALUES ({', '.join('?' * 23)})"  # noqa: S608 - ours


class Pen:
    """`now` in wall-clock seconds; `fence`: how long our own writes are kept against older news."""

    def __init__(self, transaction: Transaction, now: float, fence: float) -> None:
        self.sql = transaction
        self.now = now
        self.is_delta = False
        """True while a delta page is taken in: then folders come with all that is in them."""
        self._fence = fence
        self._seq = 0
        self._numbers: dict[str, int] = {}
        self._tracked: dict[int, bool] = {}
        self._touched: dict[tuple[int, str], int] = {}
        self._elsewhere = 0
        self._any_gone = bool(transaction.execute("SELECT 1 FROM gone LIMIT 1").fetchone())

    # -- taking in

    def learn(self, item: DriveItem, since: float, *, ttl: float, certain: bool = False) -> DriveItem | None:
        """Take in what a read that began at `since` told; returns what to believe, None for what we deleted.

        `certain`: read by id, which does not lag (facts/graph.md §12.2).
        """
        number = self.number(item.drive_id)
        if self._any_gone and self._is_gone(number, item, since):
            self._recheck(number, item.id)
            return None
        old = self.row(number, item.id)
        if old is not None:
            if not item.parent_id and old["parent"]:
                item = replace(item, parent_id=old["parent"])  # left out of the answer: only the root has none
            if since < old["written"]:
                return item_of(_item_part(old), key_of(item.drive_id, "")[0])
            if not certain and self._is_fenced(old, item):
                self._recheck(number, item.id)
                return item_of(_item_part(old), key_of(item.drive_id, "")[0])
            facts = (old["written"], old["fenced"])
        else:
            facts = (0.0, 0.0)
        return self._store(number, item, old, since + ttl, *facts)

    def wrote(self, item: DriveItem, *, ttl: float, listed: float = 0.0) -> DriveItem:
        """Our write made `item` as it is: it is the truth, and fenced. Returns it with its tag."""
        number = self.number(item.drive_id)
        if self._any_gone:
            self.sql.execute("DELETE FROM gone WHERE drive = ? AND id = ?", (number, item.id))
        old = self.row(number, item.id)
        if old is None or (old["parent"], old["name"]) != (item.parent_id, item.name):
            self.forget_absence()
            self.forget_aliases(number, item.id, item.kind)
        stored = self._store(number, item, old, self.now + ttl, self.now, self.now + self._fence)
        if listed:
            self.sql.execute("UPDATE items SET listed = ? WHERE drive = ? AND id = ?", (listed, number, item.id))
        return stored

    def expect(self, item: DriveItem) -> None:
        """We made `item` without being told all about it: its id is known and fenced, the rest must be read."""
        number = self.number(item.drive_id)
        self.forget_absence()
        self._store(number, item, self.row(number, item.id), self.now, 0.0, self.now + self._fence)
        self.doubt(number, item.id, expires=True, listed=True)

    def removed(self, item: DriveItem) -> None:
        """We deleted `item`, or replaced it by another: no older news may bring it back."""
        number = self.number(item.drive_id)
        until = self.now + self._fence
        self.forget_gone()
        self.sql.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?, ?)", (number, item.id, item.etag, until))
        self._any_gone = True
        self.drop(number, item.id)
        self.forget_aliases(number, item.id, item.kind)

    def forget_gone(self) -> None:
        """Forget old deletions, but for those that a round under way may not have heard of."""
        sql = """DELETE FROM gone WHERE until < ? AND NOT EXISTS
            (SELECT 1 FROM sync AS s WHERE s.drive = gone.drive AND s.next <> '' AND s.began < gone.until - ?)"""
        self.sql.execute(sql, (self.now, self._fence))

    def drop(self, number: int, item_id: str) -> None:
        """Remove a row; what was below a folder goes with `orphans`."""
        row = self.row(number, item_id)
        if row is None:
            return
        self._leaves(number, row)
        self.sql.execute("DELETE FROM items WHERE drive = ? AND id = ?", (number, item_id))
        if row["kind"] != "file":
            self.sql.execute("INSERT OR IGNORE INTO orphans VALUES (?, ?)", (number, item_id))

    def doubt(self, number: int, item_id: str, *, expires: bool = False, listed: bool = False) -> None:
        """Reality was found to differ: do not show the row, or do not take its listing for whole, until it is read."""
        for column, wanted in (("expires", expires), ("listed", listed)):
            if wanted:
                sql = f"UPDATE items SET {column} = ? WHERE drive = ? AND id = ?"  # noqa: S608 - one of two words
                self.sql.execute(sql, (-self.now, number, item_id))
        self.sql.execute("INSERT OR REPLACE INTO doubts VALUES (?, ?, ?)", (number, item_id, self.now))

    # -- paths that were looked up

    def forget_absence(self) -> None:
        """Something has appeared somewhere: no path is known to be free."""
        self.sql.execute("DELETE FROM paths WHERE id IS NULL")

    def forget_aliases(self, number: int, item_id: str, kind: str) -> None:
        """An item left its path; with a folder all paths below it went."""
        if kind != "file":
            self.sql.execute("DELETE FROM paths WHERE id IS NOT NULL")
        else:
            self.sql.execute("DELETE FROM paths WHERE drive = ? AND id = ?", (number, item_id))

    # -- books

    def number(self, drive_id: str) -> int:
        """The number of a drive."""
        drive_id = key_of(drive_id, "")[0]
        known = self._numbers.get(drive_id)
        if known is None:
            self.sql.execute("INSERT OR IGNORE INTO drives (id) VALUES (?)", (drive_id,))
            row = self.sql.execute("SELECT number FROM drives WHERE id = ?", (drive_id,)).fetchone()
            known = self._numbers[drive_id] = int(row[0])
        return known

    def row(self, number: int, item_id: str) -> Row | None:
        """The whole row of an item."""
        found: Row | None = self.sql.execute(
            "SELECT * FROM items WHERE drive = ? AND id = ?", (number, item_id)
        ).fetchone()
        return found

    def clear(self) -> None:
        """Empty every table."""
        for table in _TABLES:
            self.sql.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    def set_counter(self, name: str, value: int) -> None:
        self.sql.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))

    def finish(self) -> None:
        """Write the books before the commit: the sequence, and `below` of all folders above what changed."""
        if self._seq:
            self.set_counter("seq", self._seq)
        if self._elsewhere:
            self.set_counter("elsewhere", self._elsewhere)
        below: dict[tuple[int, str], int] = {}
        for (number, folder), seq in self._touched.items():
            at = folder
            for _ in range(LONGEST_CHAIN):
                if not at or below.get((number, at), 0) >= seq:
                    break
                below[number, at] = seq
                row = self.sql.execute("SELECT parent FROM items WHERE drive = ? AND id = ?", (number, at)).fetchone()
                at = row[0] if row else ""
        self.sql.executemany(
            "UPDATE items SET below = max(below, ?) WHERE drive = ? AND id = ?",
            [(seq, number, folder) for (number, folder), seq in below.items()],
        )

    def is_tracked(self, number: int) -> bool:
        """Whether a delta round of the drive was ever finished: before, nobody was given stamps or sync tokens."""
        known = self._tracked.get(number)
        if known is None:
            # while a drive is enumerated anew there is no link, but tokens and stamps from before stay good
            row = self.sql.execute("SELECT link, synced FROM sync WHERE drive = ?", (number,)).fetchone()
            known = self._tracked[number] = bool(row and (row[0] or row[1]))
        return known

    def _next(self) -> int:
        if not self._seq:
            row = self.sql.execute("SELECT value FROM counters WHERE name = 'seq'").fetchone()
            self._seq = int(row[0]) if row else 0
        self._seq += 1
        return self._seq

    def _store(
        self, number: int, item: DriveItem, old: Row | None, expires: float, written: float, fenced: float
    ) -> DriveItem:
        known = item_of(_item_part(old), item.drive_id) if old is not None else None
        item = _completed(item, known)
        self._displace(number, item)  # first, since a path is left before it is taken: changes are told in this order
        new = values(number, item)
        if old is None:
            seq = placed = below = self._next()
            listed = 0.0
            if item.kind == "folder" and self.is_tracked(number) and not self.is_delta:
                # what is in it was not told: delta will, but until then it must not pass for empty
                listed = -self.now
                self.sql.execute("INSERT OR REPLACE INTO doubts VALUES (?, ?, ?)", (number, item.id, self.now))
            self._touch(number, item.parent_id, seq)
        else:
            seq, placed, below, listed = old["seq"], old["placed"], old["below"], old["listed"]
            if shown(new) != shown(old) or item.tag != old["tag"]:
                moved = (old["parent"], old["name"]) != (item.parent_id, item.name)
                if moved:
                    self._leaves(number, old)
                seq = self._next()
                placed, below = seq if moved else placed, seq
                self._touch(number, item.parent_id, seq)
        self.sql.execute(_STORE, (*new, item.tag, expires, written, fenced, seq, placed, below, listed))
        return item

    def _displace(self, number: int, item: DriveItem) -> None:
        """No folder has one name twice: who was known by it before is elsewhere, or gone."""
        sql = """SELECT id, name FROM items INDEXED BY items_by_name
            WHERE drive = ? AND parent = ? AND fold = ? AND id <> ?"""
        for row in self.sql.execute(sql, (number, item.parent_id, fold(item.name), item.id)).fetchall():
            if row["name"] == item.name:
                self.drop(number, row["id"])

    def _leaves(self, number: int, row: Row) -> None:
        """Note that the item of a row is no longer at its path."""
        seq = self._next()
        self._touch(number, row["parent"], seq)
        if not self.is_tracked(number) or not row["parent"]:
            return
        path = self._path(number, row)
        if path:
            folder = int(row["kind"] != "file")
            sql = "INSERT INTO removals (seq, drive, path, name, folder) VALUES (?, ?, ?, ?, ?)"
            self.sql.execute(sql, (seq, number, path, row["name"], folder))

    def _path(self, number: int, row: Row) -> str:
        """The folded path below the drive's root; empty when it is not connected to it."""
        folds = [row["fold"]]
        parent = row["parent"]
        for _ in range(LONGEST_CHAIN):
            above = self.sql.execute(
                "SELECT parent, fold FROM items WHERE drive = ? AND id = ?", (number, parent)
            ).fetchone()
            if above is None:
                return ""
            if not above[0]:
                return "".join("/" + name for name in reversed(folds))
            folds.append(above[1])
            parent = above[0]
        return ""

    def _touch(self, number: int, folder: str, seq: int) -> None:
        if self.is_tracked(number):
            self._touched[number, folder] = seq
        else:
            self._elsewhere = seq

    def _is_gone(self, number: int, news: DriveItem, since: float) -> bool:
        """Whether we deleted the item, and nobody has brought it back since: that would be a later version."""
        sql = "SELECT etag, until FROM gone WHERE drive = ? AND id = ?"
        row = self.sql.execute(sql, (number, news.id)).fetchone()
        if row is None or (row["until"] < self.now and row["until"] - self._fence <= since):
            return False
        return news.etag == row["etag"] or is_older(news, replace(news, etag=row["etag"]))

    def recheck(self, number: int, item_id: str) -> None:
        """Have an item read by id at the end of the round, whatever the fence says."""
        self.sql.execute("INSERT OR REPLACE INTO rechecks VALUES (?, ?, 0)", (number, item_id))

    def _recheck(self, number: int, item_id: str) -> None:
        if self.is_delta:
            self.sql.execute("INSERT OR REPLACE INTO rechecks VALUES (?, ?, ?)", (number, item_id, self.now))

    def _is_fenced(self, old: Row, news: DriveItem) -> bool:
        if not old["etag"]:
            return False  # we made it without being told what it is: any news is newer
        return old["fenced"] > self.now and is_older(news, item_of(_item_part(old), news.drive_id))


def _item_part(row: Row) -> list[Any]:
    """The columns of `rows.ITEM` out of a whole row."""
    return [row["id"], row["parent"], *(row[index] for index in range(4, 16))]


def _completed(news: DriveItem, known: DriveItem | None) -> DriveItem:
    """News with the content's tag, and with what it leaves out of the same content (delta: the cTag)."""
    if news.kind != "file":
        return news
    tag = next_tag(news, known)
    if known is not None and tag == known.tag:
        return replace(
            news,
            tag=tag,
            ctag=news.ctag or known.ctag,
            quick_xor_hash=news.quick_xor_hash or known.quick_xor_hash,
        )
    return replace(news, tag=tag)
