"""What an account needs while nobody uses it: a refresh before 90 days of silence, and a look at the calendar."""

from __future__ import annotations

import logging

from davbridge.errors import BridgeError, NeedsSignIn
from davbridge.tokens.account import SignedInAccount
from davbridge.tokens.expiry import expiry

KEEP_ALIVE_DAYS = 7
"""A refresh token dies after 90 days without use (facts: Graph §10.4); weekly leaves room for long outages."""

_LOOK_SECONDS = 300.0
_AGAIN_SECONDS = 3600.0

log = logging.getLogger(__name__)


class Upkeep:
    """For one account, in the one process that does what comes with time."""

    def __init__(self, account: SignedInAccount) -> None:
        self._account = account
        self._next = 0.0
        self._told: int | None = None

    def look(self) -> None:
        """Do what is due; to be called often. Raises nothing: the log says what went wrong."""
        now = self._account.clock.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK_SECONDS
        self._warn()
        try:
            self._keep_alive()
        except NeedsSignIn:
            self._next = now + _AGAIN_SECONDS  # it has been logged where it was found
        except BridgeError as error:
            self._next = now + _AGAIN_SECONDS
            log.warning("%s; it is tried again in an hour", error)

    def _keep_alive(self) -> None:
        account = self._account
        if not account.asking.method.needs_person:
            return
        record = account.store.peek(account.settings.name)
        age = account.clock.now().timestamp() - record.refreshed
        if record.cache and record.trouble is None and age > KEEP_ALIVE_DAYS * 86400:
            account.renew()
            log.info("account %r: the sign-in was refreshed, since nobody had used it", account.settings.name)

    def _warn(self) -> None:
        found = expiry(self._account.settings)
        if found is None:
            return
        now = self._account.clock.now()
        level = found.level(now)
        if level is not None and level != self._told:
            log.warning("account %r: %s", self._account.settings.name, found.sentence(now))
        self._told = level
