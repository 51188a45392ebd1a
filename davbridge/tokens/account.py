"""One Microsoft account: which token is good, and one refresh at a time for all threads and processes.

A token is renewed before it ends by one thread, while the others go on with the old one. A token that Graph has refused
is replaced once, however many requests come back with it: each hands in the one that was refused, and whoever finds
another one there takes that. The same holds between processes, by the store's file and its lock.
"""

from __future__ import annotations

import copy
import logging
import threading
from dataclasses import dataclass, replace

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.errors import BadUpstream, BridgeError, Busy, ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens.asking import Asking
from davbridge.tokens.failures import Throttled
from davbridge.tokens.http import Http
from davbridge.tokens.record import Grant, Record
from davbridge.tokens.settings import AccountSettings
from davbridge.tokens.store import Refreshing, Stamp, TokenFile, TokenStore
from davbridge.tokens.trouble import told_once

_AGAIN, _EARLY = 15.0, 5.0
_NEEDS_SIGN_IN_SECONDS, _MISTAKE_SECONDS = 900.0, 30.0
"""How long a refusal that time does not mend is believed, while nobody signs in or changes a secret."""
_TELL_SECONDS = 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    """The token in use, of which sign-in it is, and the file's `stamp` when it was looked at; times are monotonic."""

    token: Secret
    renews: float
    ends: float
    signed_in: float
    stamp: Stamp


@dataclass(frozen=True)
class _Refusal:
    """What Entra said last, of which nothing new is to be expected before `until` or another `stamp`."""

    error: BridgeError
    until: float
    stamp: Stamp


class SignedInAccount:
    """A `TokenSource` over MSAL and the store. Use `open_account`."""

    def __init__(self, settings: AccountSettings, store: TokenStore, clock: Clock, asking: Asking) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.asking = asking
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._dead: Secret | None = None
        self._refusal: _Refusal | None = None
        self._told, self._told_until = "", 0.0
        self._unsaved: tuple[Stamp, Record] | None = None
        self._rounds = 0
        self._failure: BridgeError | None = None

    def token(self, *, refused: Secret | None = None, claims: str | None = None) -> Secret:
        """See `TokenSource.token`. Threads and processes that come while one refreshes wait for its result."""
        held = self._good(refused)
        if held is None:
            return self._replaced(refused, claims)
        if self.clock.monotonic() >= held.renews and self._lock.acquire(blocking=False):
            try:
                return self._renewed(held)
            finally:
                self._lock.release()
        return held.token

    def _good(self, refused: Secret | None) -> _Held | None:
        held = self._held
        if held is None or held.token == refused or self.clock.monotonic() >= held.ends:
            return None
        stamp = self.store.stamp(self.settings.name)
        return held if stamp == held.stamp else self._of_this_sign_in(held, stamp)

    def _of_this_sign_in(self, held: _Held, stamp: Stamp) -> _Held | None:
        """`held`, unless somebody has signed in since: as somebody else, perhaps, or with more permissions."""
        try:
            record = self.store.peek(self.settings.name)
        except BridgeError:
            return held  # it is told when the next token is needed
        if record.signed_in not in (0.0, held.signed_in):
            return None
        kept = replace(held, stamp=stamp)
        if self._held is held:
            self._held = kept
        return kept

    def _renewed(self, held: _Held) -> Secret:
        """A new token before the held one ends; that one while another process is at it, or Microsoft in trouble."""
        left = deadline.current(self.clock).remaining()
        try:
            # a service that hangs must not use up the time of a request whose token is good
            with deadline.within(self.clock, min(_EARLY, left / 2)):
                return self._adopted_or_asked(None, early=True, patience=0.0)
        except BridgeError as error:
            now = self.clock.monotonic()
            if not isinstance(error, NeedsSignIn | Refreshing):  # one is logged where it was found, one is no trouble
                log.warning("%s; the token is good for now", error)
            self._held = replace(held, renews=now + min(_AGAIN, (held.ends - now) / 3))
            return held.token

    def renew(self) -> None:
        """Refresh now, whatever the token's age: what keeps a sign-in alive that nobody uses.

        Raises: as `token`.
        """
        with self._lock, self.store.locked(self.settings.name, patience=_AGAIN) as file:
            self._ask(file, file.read(), None, patient=False)

    def _replaced(self, refused: Secret | None, claims: str | None) -> Secret:
        seen = self._rounds
        patience = max(0.0, deadline.current(self.clock).remaining())
        if not self._lock.acquire(timeout=patience):
            raise Busy(f"account {self.settings.name!r}: the sign-in service does not answer", 5.0)
        try:
            if held := self._good(refused):
                return held.token  # somebody else has refreshed while we waited
            if self._rounds != seen and self._failure is not None:
                raise _again(self._failure)  # … or has tried in vain
            if refused is not None:
                self._dead, self._held = refused, None
            self._failure = None
            try:
                return self._adopted_or_asked(claims, early=False, patience=patience)
            except BridgeError as error:
                self._failure = error
                raise
            finally:
                self._rounds += 1
        finally:
            self._lock.release()

    def _adopted_or_asked(self, claims: str | None, *, early: bool, patience: float) -> Secret:
        if known := self._believed():
            raise _again(known)
        try:
            with self.store.locked(self.settings.name, patience=patience) as file:
                record = file.read()
                if (grant := self._usable(record, early=early)) is not None:
                    return self._take(grant, record)  # another process has refreshed
                return self._ask(file, record, claims, patient=not early)
        except (NeedsSignIn, ConfigError) as error:
            told = self._was_told(error)
            if self._refusal is None or self._refusal.error is not error:
                self._believe(error, _MISTAKE_SECONDS)  # a file that cannot be read, or not be opened
                if isinstance(error, NeedsSignIn) and not told:
                    log.error("%s", error)
            if isinstance(error, ConfigError) and told:
                raise _again(error) from None
            raise

    def _was_told(self, error: BridgeError) -> bool:
        """Whether it is nothing new for the log: found anew each half minute, a mistake would fill it."""
        now = self.clock.monotonic()
        if self._told == str(error) and now < self._told_until:
            return True
        self._told, self._told_until = str(error), now + _TELL_SECONDS
        return False

    def _ask(self, file: TokenFile, record: Record, claims: str | None, *, patient: bool) -> Secret:
        if self._unsaved is not None and self._unsaved[0] == self.store.stamp(self.settings.name):
            record = self._unsaved[1]
        try:
            fresh = self.asking.refreshed(record, claims, patient=patient)
        except (NeedsSignIn, ConfigError, Throttled) as error:
            self._note(file, record, error, claims)
            raise
        grant = fresh.grant
        if grant is None:
            raise BadUpstream("a refresh without a token")
        try:
            file.write(fresh)
            self._unsaved = None
        except ConfigError as error:
            # a full disk: the token is good all the same, and the next refresh begins where this one ended
            log.error("account %r: %s", self.settings.name, error)
            self._unsaved = (self.store.stamp(self.settings.name), fresh)
        if record.trouble is not None:
            log.info("account %r: the sign-in works again", self.settings.name)
        return self._take(grant, fresh)

    def _usable(self, record: Record, *, early: bool) -> Grant | None:
        """The stored token, if it is another one than the refused, made with our settings, and good."""
        grant = record.grant
        if grant is None or grant.made_for != self.settings.fingerprint:
            return None
        dead = self._dead is not None and grant.token == self._dead.reveal()
        now = self.clock.now().timestamp()
        # a clock that was set back makes a token look younger than it can be
        good = grant.obtained <= now + 60 and now < (grant.renews if early else grant.ends)
        return grant if good and not dead else None

    def _take(self, grant: Grant, record: Record) -> Secret:
        now, wall = self.clock.monotonic(), self.clock.now().timestamp()
        token = Secret(grant.token)
        stamp = self.store.stamp(self.settings.name)
        self._held = _Held(token, now + grant.renews - wall, now + grant.ends - wall, record.signed_in, stamp)
        self._refusal, self._told = None, ""
        return token

    def _note(self, file: TokenFile, record: Record, error: BridgeError, claims: str | None) -> None:
        """Remember what time does not mend, here and (a sign-in that has ended) in the file, and log it once."""
        told_once(self, file, record, error, claims)
        seconds = error.retry_after if isinstance(error, Throttled) else _MISTAKE_SECONDS
        self._believe(error, _NEEDS_SIGN_IN_SECONDS if isinstance(error, NeedsSignIn) else seconds)

    def _believe(self, error: BridgeError, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        self._refusal = _Refusal(error, until, self.store.stamp(self.settings.name))

    @property
    def person(self) -> str:
        """Which person's sign-in is kept, as a key to compare; empty for an application, and where nobody can tell."""
        try:
            person = self.store.peek(self.settings.name).person
        except BridgeError:
            return ""
        return person.key if person else ""

    @property
    def refusal(self) -> str:
        """What somebody must mend, while it is believed; empty when nothing is known."""
        error = self._believed()
        return "" if error is None or isinstance(error, Throttled) else str(error)

    def _believed(self) -> BridgeError | None:
        refusal = self._refusal
        if refusal is None or self.clock.monotonic() >= refusal.until:
            return None
        # with another stamp, somebody has signed in
        return refusal.error if refusal.stamp == self.store.stamp(self.settings.name) else None

    def forget(self) -> None:
        """Know nothing but what is in the store."""
        self._held = self._dead = self._refusal = self._failure = self._unsaved = None
        self._told = ""

    def close(self) -> None:
        self.asking.http.close()


def _again(error: BridgeError) -> BridgeError:
    """What others were told already. A wrong configuration is logged by who hears of it first, not by everybody."""
    return Busy(str(error), _MISTAKE_SECONDS) if isinstance(error, ConfigError) else copy.copy(error)


def open_account(settings: AccountSettings, store: TokenStore, clock: Clock) -> SignedInAccount:
    """An account's token source. Nothing is sent before the first token is asked for."""
    return SignedInAccount(settings, store, clock, Asking(settings, clock, Http(settings.verify, clock)))
