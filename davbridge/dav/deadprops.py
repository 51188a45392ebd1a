"""Dead properties (RFC 4918 §4): what clients want remembered and nobody interprets.

Kept by path and not by item id: Explorer sets properties on a file that exists only as a placeholder yet and has no
id at Microsoft. The price: an item that is renamed behind the bridge's back loses them. They may not be lost
otherwise (law 5).
"""

from __future__ import annotations

from collections.abc import Mapping

from davbridge.errors import QuotaExceeded
from davbridge.paths import DavPath
from davbridge.store.copy import Copy
from davbridge.store.database import Database

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS dead_properties (
        mount TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (mount, key, name)) STRICT, WITHOUT ROWID""",
)
LARGEST_VALUE = 16 * 1024
"""Characters of one property's XML."""
MOST_VALUES = 100
"""Properties of one item."""


class DeadProperties:
    """All dead properties. Names are in Clark notation, `{namespace}local`; values are whole XML elements as text."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._copy = Copy(database)

    def get(self, mount: str, path: DavPath) -> dict[str, str]:
        """The properties of one item."""
        if not self._any(mount):
            return {}
        rows = self._database.read(
            "SELECT name, value FROM dead_properties WHERE mount = ? AND key = ?", (mount, _key(path))
        )
        return {row["name"]: row["value"] for row in rows}

    def of_children(self, mount: str, folder: DavPath) -> dict[str, dict[str, str]]:
        """The properties of a folder's children, by folded name."""
        if not self._any(mount):
            return {}
        prefix = _key(folder) + "/"
        rows = self._database.read(
            "SELECT key, name, value FROM dead_properties WHERE mount = ? AND key > ? AND key < ?",
            (mount, prefix, _key(folder) + "0"),
        )
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            name = row["key"][len(prefix) :]
            if "/" not in name:
                found.setdefault(name, {})[row["name"]] = row["value"]
        return found

    def _any(self, mount: str) -> bool:
        sql = "SELECT 1 FROM dead_properties WHERE mount = ? LIMIT 1"
        return self._copy.get(mount, lambda: bool(self._database.read(sql, (mount,))))

    def check(self, mount: str, path: DavPath, changes: Mapping[str, str | None]) -> None:
        """Find out whether `change` would refuse.

        Raises:
            QuotaExceeded: as `change`.
        """
        if any(value is not None and len(value) > LARGEST_VALUE for value in changes.values()):
            raise QuotaExceeded(f"a property may hold {LARGEST_VALUE} characters")
        removed = {name for name, value in changes.items() if value is None}
        if len((self.get(mount, path).keys() | changes.keys()) - removed) > MOST_VALUES:
            raise _too_many()

    def change(self, mount: str, path: DavPath, changes: Mapping[str, str | None]) -> None:
        """Set, or with None remove, all of `changes` or none.

        Raises:
            QuotaExceeded: a value, or their number, is larger than we keep.
        """
        self.check(mount, path, changes)
        key = _key(path)
        with self._database.transaction() as transaction:
            for name, value in changes.items():
                if value is None:
                    transaction.execute(
                        "DELETE FROM dead_properties WHERE mount = ? AND key = ? AND name = ?", (mount, key, name)
                    )
                else:
                    transaction.execute(
                        "INSERT OR REPLACE INTO dead_properties VALUES (?, ?, ?, ?)", (mount, key, name, value)
                    )
            count = "SELECT count(*) FROM dead_properties WHERE mount = ? AND key = ?"
            if transaction.execute(count, (mount, key)).fetchone()[0] > MOST_VALUES:
                raise _too_many()

    def forget(self, mount: str, path: DavPath) -> None:
        """Remove those of an item and of all below it."""
        key = _key(path)
        with self._database.transaction() as transaction:
            transaction.execute(
                "DELETE FROM dead_properties WHERE mount = ? AND (key = ? OR (key > ? AND key < ?))",
                (mount, key, key + "/", key + "0"),
            )

    def copy(self, mount: str, source: DavPath, target: DavPath, *, deep: bool = True) -> None:
        """Give the target the properties of the source, and only these."""
        self._transfer(mount, source, target, deep=deep, move=False)

    def move(self, mount: str, source: DavPath, target: DavPath) -> None:
        """Carry the properties along."""
        self._transfer(mount, source, target, deep=True, move=True)

    def _transfer(self, mount: str, source: DavPath, target: DavPath, *, deep: bool, move: bool) -> None:
        old, new = _key(source), _key(target)
        where = "mount = ? AND (key = ? OR (key > ? AND key < ?))" if deep else "mount = ? AND key = ?"
        values = (mount, old, old + "/", old + "0") if deep else (mount, old)
        with self._database.transaction() as transaction:
            rows = transaction.execute(f"SELECT key, name, value FROM dead_properties WHERE {where}", values).fetchall()  # noqa: S608 - `where` is ours
            if move:
                transaction.execute(f"DELETE FROM dead_properties WHERE {where}", values)  # noqa: S608 - as above
            transaction.execute(
                "DELETE FROM dead_properties WHERE mount = ? AND (key = ? OR (key > ? AND key < ?))",
                (mount, new, new + "/", new + "0"),
            )
            transaction.executemany(
                "INSERT INTO dead_properties VALUES (?, ?, ?, ?)",
                [(mount, new + row["key"][len(old) :], row["name"], row["value"]) for row in rows],
            )


def _too_many() -> QuotaExceeded:
    return QuotaExceeded(f"an item may have {MOST_VALUES} properties of its own")


def _key(path: DavPath) -> str:
    return "".join("/" + name for name in path.folded)
