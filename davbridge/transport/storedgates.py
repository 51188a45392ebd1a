"""The gates of all worker processes, in the state file: what one of them is told holds for the next try of the others.

Times are wall-clock, since monotonic ones mean nothing to another process. A pause that seems to have been set in the
future was set before somebody put the clock back; nobody knows how long it lasts, so it is over.
"""

from __future__ import annotations

import logging

from davbridge.clock import Clock
from davbridge.errors import BridgeError
from davbridge.store.database import Database, Row

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS pauses (
        account TEXT NOT NULL, host TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
        PRIMARY KEY (account, host)) STRICT, WITHOUT ROWID""",
)
_SLACK_SECONDS = 1.0
_FIND = "SELECT since, until FROM pauses WHERE account = ? AND host = ?"

log = logging.getLogger(__name__)


class StoredGates:
    """`Gates` of one account, since Microsoft counts each account for itself. One indexed look a question."""

    def __init__(self, database: Database, account: str, clock: Clock) -> None:
        self._database = database
        self._account = account
        self._clock = clock

    def close_for(self, host: str, seconds: float) -> None:
        """As in `Gates`. A state file that takes no writes now leaves the others untold, and costs nobody an answer."""
        try:
            if self.remaining(host) >= seconds:
                return  # so do the others that the same answer has come to, without a write each
            with self._database.transaction() as transaction:
                now = self._clock.now().timestamp()
                rows = transaction.execute(_FIND, (self._account, host)).fetchall()
                until = now + max(seconds, _left(rows, now))
                transaction.execute(
                    "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?)", (self._account, host, now, until)
                )
        except BridgeError as error:
            log.warning("a pause of %.0f s for %s could not be shared: %s", seconds, host, error)

    def remaining(self, host: str) -> float:
        return _left(self._database.read(_FIND, (self._account, host)), self._clock.now().timestamp())

    def open_all(self) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM pauses WHERE account = ?", (self._account,))


def _left(rows: list[Row], now: float) -> float:
    """Seconds until the end of what `rows`, none or one, say."""
    if not rows or rows[0]["since"] > now + _SLACK_SECONDS:
        return 0.0
    return max(0.0, float(rows[0]["until"]) - now)
