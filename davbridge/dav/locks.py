"""WebDAV locks (RFC 4918 §6, §7) in the state file: they survive a restart and hold between processes.

Granting is one write transaction: look for conflicts, then insert; two processes can never both find the place free.
Graph knows nothing of them. Times are wall-clock, since a lock outlives the process that granted it.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from davbridge.clock import Clock
from davbridge.errors import QuotaExceeded
from davbridge.paths import DavPath
from davbridge.store.copy import Copy
from davbridge.store.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS locks (
        token TEXT PRIMARY KEY, mount TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, user TEXT NOT NULL,
        owner TEXT NOT NULL, exclusive INTEGER NOT NULL, infinite INTEGER NOT NULL,
        seconds INTEGER NOT NULL, expires REAL NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS locks_by_place ON locks (mount, key)",
)
DEFAULT_SECONDS, LONGEST_SECONDS = 600, 3600 * 24
MOST_LOCKS = 1000
"""Locks of one user: a shared lock may be taken again and again, and each is looked at in listings."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A granted lock. `owner` is the client's own XML; `seconds` what was granted; `expires` a POSIX time."""

    token: str
    mount: str
    path: DavPath
    user: str
    owner: str
    exclusive: bool
    infinite: bool
    seconds: int
    expires: float


class Conflict(Exception):
    """A lock cannot be granted because of `locks`."""

    def __init__(self, locks: list[Lock]) -> None:
        super().__init__("conflicting lock")
        self.locks = locks


class LockTable:
    """All locks of all mounts. `mount` is the policy's name."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._copy = Copy(database)

    def grant(
        self,
        mount: str,
        path: DavPath,
        user: str,
        *,
        exclusive: bool,
        infinite: bool,
        owner: str,
        seconds: int,
        binds: Callable[[Lock], bool] = lambda lock: True,
    ) -> Lock:
        """Lock `path`, with everything below it when `infinite`. `binds` says which locks of others count.

        Raises:
            Conflict: a lock that excludes it. QuotaExceeded: the user has `MOST_LOCKS` already.
        """
        token = f"urn:uuid:{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}"
        now = self._now()
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM locks WHERE expires <= ?", (now,))
            others = self._around(transaction, mount, path, below=infinite)
            if clash := [lock for lock in others if (exclusive or lock.exclusive) and binds(lock)]:
                raise Conflict(clash)
            held = transaction.execute("SELECT count(*) FROM locks WHERE user = ?", (user,)).fetchone()[0]
            if held >= MOST_LOCKS:
                raise QuotaExceeded(f"a user may have {MOST_LOCKS} locks")
            values = (token, mount, _key(path), _text(path), user, owner, exclusive, infinite, seconds, now + seconds)
            transaction.execute("INSERT INTO locks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return Lock(token, mount, path, user, owner, exclusive, infinite, seconds, now + seconds)

    def refresh(self, token: str, seconds: int) -> Lock | None:
        """Let a lock live `seconds` from now; None when there is none (any more)."""
        with self._database.transaction() as transaction:
            changed = transaction.execute(
                "UPDATE locks SET seconds = ?, expires = ? WHERE token = ? AND expires > ?",
                (seconds, self._now() + seconds, token, self._now()),
            )
            if not changed.rowcount:
                return None
            return _lock(transaction.execute("SELECT * FROM locks WHERE token = ?", (token,)).fetchone())

    def release(self, token: str) -> None:
        """End a lock."""
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM locks WHERE token = ?", (token,))

    def covering(self, mount: str, path: DavPath) -> list[Lock]:
        """The locks that hold for `path`: its own, and infinite ones above it."""
        return self._select(mount, *_own_and_above(path))

    def own(self, mount: str, path: DavPath) -> list[Lock]:
        """The locks on exactly `path`."""
        return self._select(mount, "key = ?", (_key(path),))

    def below(self, mount: str, path: DavPath) -> list[Lock]:
        """The locks on anything below `path`."""
        return self._select(mount, *_below(path))

    def forget(self, mount: str, path: DavPath) -> None:
        """Remove the locks of `path` and of all below it: the item is gone (RFC 4918 §9.6.1, §7.6)."""
        with self._database.transaction() as transaction:
            where, values = _below(path)
            transaction.execute(
                f"DELETE FROM locks WHERE mount = ? AND (key = ? OR {where})",  # noqa: S608 - `where` is ours
                (mount, _key(path), *values),
            )

    def forget_below(self, mount: str, path: DavPath) -> None:
        """Remove the locks of all below `path`, but not its own: it was replaced, and its URL is still there."""
        where, values = _below(path)
        with self._database.transaction() as transaction:
            transaction.execute(f"DELETE FROM locks WHERE mount = ? AND {where}", (mount, *values))  # noqa: S608 - ours

    def holds(self, token: str) -> bool:
        """Whether the token is that of a lock, wherever it is."""
        return bool(self._database.read("SELECT 1 FROM locks WHERE token = ? AND expires > ?", (token, self._now())))

    def any(self, mount: str) -> bool:
        """Whether the mount has any lock: most requests need to look no further."""
        sql = "SELECT 1 FROM locks WHERE mount = ? LIMIT 1"
        return self._copy.get(mount, lambda: bool(self._database.read(sql, (mount,))))

    def _around(self, transaction: Transaction, mount: str, path: DavPath, *, below: bool) -> list[Lock]:
        where, values = _own_and_above(path)
        if below:
            more, others = _below(path)
            where, values = f"({where} OR {more})", (*values, *others)
        sql = f"SELECT * FROM locks WHERE mount = ? AND {where}"  # noqa: S608 - `where` is ours
        return _locks(transaction.execute(sql, (mount, *values)).fetchall())

    def _select(self, mount: str, where: str, values: tuple[object, ...]) -> list[Lock]:
        sql = f"SELECT * FROM locks WHERE mount = ? AND expires > ? AND {where}"  # noqa: S608 - `where` is ours
        return _locks(self._database.read(sql, (mount, self._now(), *values)))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _key(path: DavPath) -> str:
    return "".join("/" + name for name in path.folded)


def _text(path: DavPath) -> str:
    return "/".join(path.names)


def _own_and_above(path: DavPath) -> tuple[str, tuple[object, ...]]:
    above = [_key(DavPath(path.names[:depth])) for depth in range(len(path.names))]
    marks = ", ".join("?" * len(above)) or "NULL"
    return f"(key = ? OR (infinite = 1 AND key IN ({marks})))", (_key(path), *above)


def _below(path: DavPath) -> tuple[str, tuple[object, ...]]:
    key = _key(path)
    return "(key > ? AND key < ?)", (key + "/", key + "0")  # `0` is the character after `/`


def _locks(rows: Iterable[Row]) -> list[Lock]:
    return [_lock(row) for row in rows]


def _lock(row: Row) -> Lock:
    return Lock(
        token=row["token"],
        mount=row["mount"],
        path=DavPath(tuple(row["path"].split("/")) if row["path"] else ()),
        user=row["user"],
        owner=row["owner"],
        exclusive=bool(row["exclusive"]),
        infinite=bool(row["infinite"]),
        seconds=row["seconds"],
        expires=row["expires"],
    )
