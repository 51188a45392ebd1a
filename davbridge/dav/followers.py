"""Clients that were sent to Microsoft's download address and came back: they do not follow redirects.

Who asks for the very same bytes again within some seconds has not got them. It is proxied for a day, by every worker.
To be wrong here costs bandwidth only. Names of users, clients and files are kept as digests.
"""

from __future__ import annotations

import hashlib

from davbridge.clock import Clock
from davbridge.store.database import Database

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS redirects_sent (
        client TEXT NOT NULL, what TEXT NOT NULL, sent REAL NOT NULL,
        PRIMARY KEY (client, what)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS not_following (
        client TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID""",
)
SOON_SECONDS = 10.0
"""A client that comes back later may just want the file once more."""
PROXIED_SECONDS = 86400.0


class Followers:
    """Who was sent where, in the state file."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def may_send(self, user: str, agent: str, what: str) -> bool:
        """Whether to redirect `agent` of `user` for the bytes `what`; if so, that it was done is noted.

        Raises: Busy, QuotaExceeded.
        """
        client, what, now = _digest(user, agent), _digest(what), self._clock.now().timestamp()
        if self._database.read("SELECT 1 FROM not_following WHERE client = ? AND until > ?", (client, now)):
            return False
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM redirects_sent WHERE sent < ?", (now - SOON_SECONDS,))
            transaction.execute("DELETE FROM not_following WHERE until <= ?", (now,))
            row = transaction.execute(
                "SELECT 1 FROM redirects_sent WHERE client = ? AND what = ?", (client, what)
            ).fetchone()
            if row is None:
                transaction.execute("INSERT INTO redirects_sent VALUES (?, ?, ?)", (client, what, now))
            else:
                transaction.execute(
                    "INSERT OR REPLACE INTO not_following VALUES (?, ?)", (client, now + PROXIED_SECONDS)
                )
        return row is None


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
