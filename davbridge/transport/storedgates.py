"""The gates of all worker processes, in the state file: what one of them is told holds for the next try of the others.

Times are wall-clock, since monotonic ones mean nothing to another process. A pause or pace that seems to have been set
in the future was set before somebody put the clock back; nobody knows how long it lasts, so it is over.
"""

from __future__ import annotations

import logging
from dataclasses import astuple

from davbridge.clock import Clock
from davbridge.errors import BridgeError
from davbridge.store.database import Database, Row, Transaction
from davbridge.transport.pace import Budget, Pace

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS pauses (
        account TEXT NOT NULL, host TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
        PRIMARY KEY (account, host)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS paces (
        account TEXT NOT NULL, host TEXT NOT NULL,
        since REAL NOT NULL, until REAL NOT NULL, interval REAL NOT NULL, rest REAL NOT NULL,
        start REAL NOT NULL, last REAL NOT NULL, used_up INTEGER NOT NULL,
        PRIMARY KEY (account, host)) STRICT, WITHOUT ROWID""",
)
_SLACK_SECONDS = 1.0
_FIND = "SELECT since, until FROM pauses WHERE account = ? AND host = ?"
_FIND_PACE = "SELECT since, until, interval, rest, start, last, used_up FROM paces WHERE account = ? AND host = ?"

log = logging.getLogger(__name__)


class StoredGates:
    """`Gates` of one account, since Microsoft counts each account for itself. Two indexed looks a question.

    A state file that takes no writes now leaves the others untold, and costs nobody an answer.
    """

    def __init__(self, database: Database, account: str, clock: Clock) -> None:
        self._database = database
        self._account = account
        self._clock = clock

    def close_for(self, host: str, seconds: float) -> None:
        """As in `Gates`."""
        try:
            if self._pause(host, self._now()) >= seconds:
                return  # so do the others that the same answer has come to, without a write each
            with self._database.transaction() as transaction:
                now = self._now()
                rows = transaction.execute(_FIND, (self._account, host)).fetchall()
                until = now + max(seconds, _left(rows, now))
                transaction.execute(
                    "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?)", (self._account, host, now, until)
                )
        except BridgeError as error:
            log.warning("a pause of %.0f s for %s could not be shared: %s", seconds, host, error)

    def slow_down(self, host: str, budget: Budget) -> None:
        """As in `Gates`."""
        try:
            with self._database.transaction() as transaction:
                now = self._now()
                former = _pace(transaction.execute(_FIND_PACE, (self._account, host)).fetchall(), now)
                self._keep(transaction, host, Pace.of(budget, now, former))
            if former is None:
                told = budget.remaining, budget.limit, host, budget.reset
                log.info("%.0f of %.0f units are left at %s for %.0f s: calls are spread", *told)
        except BridgeError as error:
            log.warning("a slower pace for %s could not be shared: %s", host, error)

    def speed_up(self, host: str) -> None:
        """As in `Gates`."""
        pace = self._pace(host, self._now())
        if pace is None or not pace.is_over(self._now()):
            return
        try:
            with self._database.transaction() as transaction:
                values = (self._account, host, pace.until)
                transaction.execute("DELETE FROM paces WHERE account = ? AND host = ? AND until = ?", values)
        except BridgeError as error:
            log.warning("the slower pace for %s could not be ended: %s", host, error)

    def remaining(self, host: str) -> float:
        now = self._now()
        pace = self._pace(host, now)
        return max(self._pause(host, now), pace.wait(now) if pace is not None else 0.0)

    def enter(self, host: str) -> float:
        """As in `Gates`. It writes only while a pace is kept."""
        now = self._now()
        pace = self._pace(host, now)
        left = max(self._pause(host, now), pace.wait(now) if pace is not None else 0.0)
        if left or pace is None:
            return left
        try:
            with self._database.transaction() as transaction:
                now = self._now()
                pace = _pace(transaction.execute(_FIND_PACE, (self._account, host)).fetchall(), now)
                if pace is None:
                    return 0.0
                left = pace.wait(now)
                if not left:
                    self._keep(transaction, host, pace.taken(now))
                return left
        except BridgeError as error:
            log.warning("the pace for %s could not be kept: %s", host, error)
            return 0.0

    def open_all(self) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM pauses WHERE account = ?", (self._account,))
            transaction.execute("DELETE FROM paces WHERE account = ?", (self._account,))

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _pause(self, host: str, now: float) -> float:
        return _left(self._database.read(_FIND, (self._account, host)), now)

    def _pace(self, host: str, now: float) -> Pace | None:
        return _pace(self._database.read(_FIND_PACE, (self._account, host)), now)

    def _keep(self, transaction: Transaction, host: str, pace: Pace) -> None:
        values = (self._account, host, *astuple(pace))
        transaction.execute("INSERT OR REPLACE INTO paces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def _left(rows: list[Row], now: float) -> float:
    """Seconds until the end of what `rows`, none or one, say."""
    if not rows or rows[0]["since"] > now + _SLACK_SECONDS:
        return 0.0
    return max(0.0, float(rows[0]["until"]) - now)


def _pace(rows: list[Row], now: float) -> Pace | None:
    """The pace that is kept now, of `rows`, none or one."""
    if not rows or rows[0]["since"] > now + _SLACK_SECONDS:
        return None
    row = rows[0]
    pace = Pace(
        row["since"], row["until"], row["interval"], row["rest"], row["start"], row["last"], bool(row["used_up"])
    )
    return pace if pace.is_kept(now) else None
