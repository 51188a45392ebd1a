"""Asking Entra for a token: the method does it, trouble that passes is waited out, the answer becomes a record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msal

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.errors import BadUpstream, Busy, NeedsSignIn
from davbridge.tokens.failures import Throttled, failure, translated
from davbridge.tokens.http import Http
from davbridge.tokens.methods import METHODS, Method, Visitor
from davbridge.tokens.record import Grant, Record, person_in
from davbridge.tokens.settings import AccountSettings

_PAUSES = (0.2, 0.5, 1.0, 2.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asking:
    """What one account asks with."""

    settings: AccountSettings
    clock: Clock
    http: Http

    @property
    def method(self) -> Method:
        return METHODS[self.settings.method]

    def refreshed(self, record: Record, claims: str | None, *, patient: bool) -> Record:
        """The record with a new token. `patient`: trouble that passes is waited out, as far as the deadline allows.

        Raises:
            NeedsSignIn, ConfigError, Busy, BadUpstream.
        """
        for usual in _PAUSES if patient else ():
            try:
                return self._once(record, claims)
            except (Busy, BadUpstream) as error:
                pause = max(usual, error.retry_after) if isinstance(error, Throttled) else usual
                if isinstance(error, NeedsSignIn) or pause >= deadline.current(self.clock).remaining():
                    raise
                log.info("%s; again in %.1f s", error, pause)
            self.clock.sleep(pause)
        return self._once(record, claims)

    def _once(self, record: Record, claims: str | None) -> Record:
        cache = record.cache_object
        with translated(self.settings):
            result = self.method.acquire(self.settings, cache, self.http, claims)
        return self._after(record, cache, result)

    def first(self, visitor: Visitor, claims: str | None) -> Record:
        """The record of a new sign-in.

        Raises: as `refreshed`; Forbidden: what the person brought is not the end of this sign-in.
        """
        cache = msal.SerializableTokenCache()
        with translated(self.settings):
            result = self.method.sign_in(self.settings, cache, self.http, visitor, claims)
        return replace(self._after(Record(), cache, result), signed_in=self.clock.now().timestamp())

    def _after(self, record: Record, cache: msal.SerializableTokenCache, result: Mapping[str, Any] | None) -> Record:
        name = self.settings.name
        if result is None:
            raise NeedsSignIn(f"nobody has signed in to account {name!r} yet: run `davbridge login {name}`")
        if "access_token" not in result:
            raise failure(self.settings, result, needs_person=self.method.needs_person)
        now = self.clock.now().timestamp()
        try:
            lifetime = float(result.get("expires_in", 0))
        except (TypeError, ValueError):
            raise BadUpstream("the Microsoft sign-in service answered nonsense") from None
        scopes = str(result.get("scope") or " ".join(self.settings.scopes))
        grant = Grant(str(result["access_token"]), self.settings.fingerprint, scopes, now, lifetime)
        person = person_in(cache) if self.method.needs_person else None
        return replace(record.with_cache(cache), grant=grant, person=person, trouble=None, refreshed=now)
