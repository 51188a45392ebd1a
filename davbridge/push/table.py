"""The webhooks that Graph calls, in the state file: shared by all workers, and known after a restart.

What is kept: the subscription's id, so that a restart renews it instead of adding another, and its `clientState`, by
which `endpoint` tells Graph from everybody else. A row stands from before the subscription is made until Graph has
confirmed that it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from davbridge.redact import Secret
from davbridge.store.database import Database


@dataclass(frozen=True)
class Kept:
    """`id` is empty, and `expires` long ago, when Graph's answer was never seen."""

    url: str
    state: Secret
    id: str = ""
    expires: datetime | None = None


class SubscriptionTable:
    """By the name of the mirror's file, which stands in the address, too. Raises what `Database` raises."""

    SCHEMA = (
        """CREATE TABLE IF NOT EXISTS subscriptions (
            name TEXT PRIMARY KEY, url TEXT NOT NULL, state TEXT NOT NULL, id TEXT NOT NULL, expires REAL NOT NULL
        ) WITHOUT ROWID""",
    )

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Kept | None:
        rows = self._database.read("SELECT url, state, id, expires FROM subscriptions WHERE name = ?", (name,))
        if not rows:
            return None
        url, state, subscription_id, expires = rows[0]
        return Kept(url, Secret(state), subscription_id, datetime.fromtimestamp(expires, UTC))

    def put(self, name: str, kept: Kept) -> None:
        row = (name, kept.url, kept.state.reveal(), kept.id, kept.expires.timestamp() if kept.expires else 0)
        with self._database.transaction() as transaction:
            transaction.execute("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?)", row)

    def forget(self, name: str) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM subscriptions WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()
