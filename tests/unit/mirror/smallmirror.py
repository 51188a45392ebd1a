"""A mirror of a few items, filled by plain INSERTs as the comments in `schema.py` say, for tests of what reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from davbridge.clock import ManualClock
from davbridge.graph.model import DriveItem
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.schema import COLUMNS, SCHEMA
from davbridge.mirror.sweep import sweep
from davbridge.paths import ROOT, DavPath, fold
from davbridge.store.database import Database, Row

DRIVE, TOP, EPOCH = 1, "top", 7
View = dict[tuple[str, ...], tuple[str, str]]
"""What is at each path: the item's id, and something that changes with each change of it."""


class SmallMirror:
    """One drive. `now` is the last number given; `tracked`: tokens may have been given, so the books are kept."""

    displaces = False
    """Whether what comes to a path removes what was there under the same name."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "mirror.sqlite", SCHEMA, durable=False)
        self.now = 0
        self.tracked = False
        self.epoch = EPOCH
        self._made = 0
        with self.database.transaction() as transaction:
            for table in ("items", "removals", "counters"):
                transaction.execute(f"DELETE FROM {table}")
        self._insert(TOP, "", "root", "folder")

    def row(self, item: str) -> Row:
        """The row of an item."""
        return self.database.read("SELECT * FROM items WHERE drive = ? AND id = ?", (DRIVE, item))[0]

    def children(self, folder: str) -> list[Row]:
        """The rows of a folder's children."""
        sql = "SELECT * FROM items WHERE drive = ? AND parent = ? ORDER BY fold"
        return self.database.read(sql, (DRIVE, folder))

    def ids(self, *kinds: str) -> list[str]:
        """All items but the top, or those of some kinds, oldest first."""
        rows = self.database.read("SELECT id, kind FROM items WHERE drive = ? AND parent <> '' ORDER BY id", (DRIVE,))
        return [row["id"] for row in rows if not kinds or row["kind"] in kinds]

    def view(self, folder: str = TOP, *, deep: bool = True) -> View:
        """What a client that knows everything would have of a folder."""
        found: View = {}
        for row in self.children(folder):
            found[(row["name"],)] = (row["id"], row["etag"])
            if deep and row["kind"] == "folder":
                found |= {(row["name"], *path): state for path, state in self.view(row["id"]).items()}
        return found

    def named(self, folder: str, name: str) -> str | None:
        """The id of the child of that name, in any case."""
        return next((row["id"] for row in self.children(folder) if row["fold"] == fold(name)), None)

    def path(self, item: str) -> DavPath:
        """The path below the top."""
        row = self.row(item)
        return ROOT if not row["parent"] else self.path(row["parent"]).child(row["name"])

    def within(self, item: str, folder: str) -> bool:
        """True when the item is the folder, or lies below it."""
        return item == folder or (bool(item) and self.within(self.row(item)["parent"], folder))

    def create(self, folder: str, name: str, kind: str = "file", **values: object) -> str:
        """A new item; its id grows."""
        self._made += 1
        item = f"I{self._made:05}"
        self._insert(item, folder, name, kind, **values)
        return item

    def modify(self, item: str) -> None:
        """A new version."""
        self._touch(item, etag=f"v{self.now + 1}")

    def place(self, item: str, folder: str, name: str) -> None:
        """Rename, move, or both."""
        self._remember(item)
        above = self.row(item)["parent"]
        self._touch(item, parent=folder, name=name, fold=fold(name), placed=self.now + 1)
        self._raise_below(above)

    def delete(self, item: str, *, each: bool = False) -> None:
        """Delete a tree; `each`: removals are told of everything in it, too, the lowest first."""
        for child in self.children(item):
            if each:
                self.delete(child["id"], each=True)
            else:
                self._drop(child["id"])
        self._remember(item)
        self.now += 1
        self._raise_below(item)
        self._drop(item)

    def _drop(self, item: str) -> None:
        for child in self.children(item):
            self._drop(child["id"])
        with self.database.transaction() as transaction:
            transaction.execute("DELETE FROM items WHERE drive = ? AND id = ?", (DRIVE, item))

    def _remember(self, item: str) -> None:
        if not self.tracked:
            return
        row = self.row(item)
        path = "".join("/" + name for name in self.path(item).folded)
        with self.database.transaction() as transaction:
            transaction.execute(
                "INSERT INTO removals (seq, drive, path, name, folder) VALUES (?, ?, ?, ?, ?)",
                (self.now + 1, DRIVE, path, row["name"], row["kind"] != "file"),
            )

    def _touch(self, item: str, **values: object) -> None:
        self.now += 1
        values = {**values, "seq": self.now}
        with self.database.transaction() as transaction:
            sets = ", ".join(f"{name} = ?" for name in values)
            transaction.execute(f"UPDATE items SET {sets} WHERE drive = ? AND id = ?", (*values.values(), DRIVE, item))
        self._raise_below(item)

    def _raise_below(self, item: str) -> None:
        while item and self.tracked:
            with self.database.transaction() as transaction:
                transaction.execute("UPDATE items SET below = ? WHERE drive = ? AND id = ?", (self.now, DRIVE, item))
            item = self.row(item)["parent"]

    def _insert(self, item: str, folder: str, name: str, kind: str, **values: object) -> None:
        self.now += 1
        row = {
            "drive": DRIVE, "id": item, "parent": folder, "fold": fold(name), "name": name, "kind": kind, "size": 0,
            "etag": f"v{self.now}", "ctag": "", "created": 0, "modified": 0, "mime": "", "hash": "",
            "remote_drive": "", "remote_id": "", **values,
        }  # fmt: skip
        marks = ", ".join("?" * (len(row) + 8))
        with self.database.transaction() as transaction:
            transaction.execute(
                f"INSERT INTO items VALUES ({marks})",
                (*(row[column] for column in COLUMNS.split(", ")), "", 0, 0, 0, self.now, self.now, self.now, 0),
            )
        self._raise_below(item)


class BookMirror(SmallMirror):
    """The same drive with the books kept by the mirror itself: `Pen`."""

    displaces = True

    def __init__(self, folder: Path) -> None:
        self._file = MirrorFile(folder / "mirror.sqlite", ManualClock(), fence=60.0)
        self.database = Database(folder / "mirror.sqlite", durable=False)
        self._made = 0
        self.epoch = self._file.epoch
        with self._file.writing() as pen:
            assert pen.number("b!drive") == DRIVE
            pen.wrote(self._item(TOP, "", "root", "folder"), ttl=0.0)

    @property
    def now(self) -> int:  # type: ignore[override]
        return int(self.database.read("SELECT value FROM counters WHERE name = 'seq'")[0]["value"])

    @property
    def tracked(self) -> bool:  # type: ignore[override]
        return bool(self.database.read("SELECT 1 FROM sync"))

    @tracked.setter
    def tracked(self, on: bool) -> None:
        with self._file.writing() as pen:
            pen.sql.execute("INSERT OR REPLACE INTO sync VALUES (?, 'live', 'link', '', 0, 1, 0, 0, '')", (DRIVE,))

    def create(self, folder: str, name: str, kind: str = "file", **values: object) -> str:
        self._made += 1
        item = f"I{self._made:05}"
        self._write(self._item(item, folder, name, kind))
        return item

    def modify(self, item: str) -> None:
        row = self.row(item)
        self._write(self._item(item, row["parent"], row["name"], row["kind"], size=row["size"] + 1))

    def place(self, item: str, folder: str, name: str) -> None:
        row = self.row(item)
        self._write(self._item(item, folder, name, row["kind"], size=row["size"]))

    def delete(self, item: str, *, each: bool = False) -> None:
        for child in self.children(item) if each else ():
            self.delete(child["id"], each=True)
        with self._file.writing() as pen:
            pen.drop(DRIVE, item)
        sweep(self._file)

    def _write(self, item: DriveItem) -> None:
        with self._file.writing() as pen:
            pen.wrote(item, ttl=0.0)
        sweep(self._file)

    def _item(self, item: str, folder: str, name: str, kind: str, *, size: int = 0) -> DriveItem:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        etag = f'"{{{item}}},{size + 1}"'
        return DriveItem(item, "b!drive", folder, name, kind, size, etag, f"c{etag}", moment, moment)
