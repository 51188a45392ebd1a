"""Who has signed in to the page, good at every worker: a random value in a cookie, its digest in the page's file.

A session ends by itself after a while without use, and in any case after a day's work; and at once when the user is no
longer an admin, is gone, or has another password, since each request compares it with the users as they are now.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from davbridge.clock import Clock
from davbridge.store.database import Database

IDLE_SECONDS, LONGEST_SECONDS = 30 * 60.0, 12 * 3600.0
_NOTED_SECONDS = 60.0
"""How exactly the last use is known: not every view shall write."""
_MOST = 32
"""Sessions of one user; the oldest go."""


@dataclass(frozen=True)
class PageUser:
    """A user of the configuration: `password` is the hash."""

    password: str
    admin: bool


@dataclass(frozen=True)
class Session:
    """`secret` is the cookie's value."""

    user: str
    secret: str


class Sessions:
    """`users` by name, as they are now. Raises what `Database` raises."""

    def __init__(self, database: Database, users: Mapping[str, PageUser], clock: Clock) -> None:
        self._database = database
        self._users = users
        self._clock = clock

    def begin(self, name: str) -> Session:
        """A session for an admin whose password was right just now."""
        secret, now = secrets.token_urlsafe(32), self._clock.now().timestamp()
        row = (_digest(secret), name, _proof(self._users[name]), now, now)
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM sessions WHERE began < ?", (now - LONGEST_SECONDS,))
            transaction.execute(
                "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions WHERE user = ? "
                "ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (name, _MOST - 1),
            )
            transaction.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", row)
        return Session(name, secret)

    def find(self, secret: str, *, by_person: bool = True) -> Session | None:
        """The session of a cookie; `by_person` false for what a page asks for by itself, which is no use of it."""
        if not secret:
            return None
        digest = _digest(secret)
        rows = self._database.read("SELECT user, proof, began, used FROM sessions WHERE digest = ?", (digest,))
        if not rows:
            return None
        name, proof, began, used = rows[0]
        user, now = self._users.get(name), self._clock.now().timestamp()
        good = user is not None and user.admin and hmac.compare_digest(proof, _proof(user))
        if not good or now - used > IDLE_SECONDS or now - began > LONGEST_SECONDS:
            self.end(secret)
            return None
        if by_person and now - used > _NOTED_SECONDS:
            with self._database.transaction() as transaction:
                transaction.execute("UPDATE sessions SET used = ? WHERE digest = ?", (now, digest))
        return Session(name, secret)

    def end(self, secret: str) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM sessions WHERE digest = ?", (_digest(secret),))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _proof(user: PageUser) -> bytes:
    """Changes with the password; says nothing of the hash."""
    return hashlib.sha256(b"davbridge page " + user.password.encode()).digest()
