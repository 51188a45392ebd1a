"""One Microsoft account: its settings, its MSAL application, and one refresh at a time for all threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msal
import requests

from davbridge.clock import Clock
from davbridge.errors import BadUpstream, Busy, ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens.failures import failure, translated
from davbridge.tokens.methods import METHODS
from davbridge.tokens.store import TokenStore

SignInMethod = Literal["client_secret", "device_code"]
_TIMEOUT = 20.0
_EARLY = 300.0
_AGAIN = 15.0
_MARGIN = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AccountSettings:
    """How an account signs in. `authority` is the full URL with the tenant; `scopes` hold the Graph host."""

    name: str
    client_id: str
    authority: str
    scopes: tuple[str, ...]
    method: SignInMethod
    client_secret: Secret | None = None
    instance_discovery: bool = True
    verify: str | bool = True


class SignedInAccount:
    """A `TokenSource` over MSAL. Use `open_account`."""

    def __init__(self, settings: AccountSettings, store: TokenStore, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._http = _Http(settings.verify)
        self._last: Secret | None = None
        self._good_until = 0.0
        self._ends = 0.0

    def token(self, *, refresh: bool = False, claims: str | None = None) -> Secret:
        """See `TokenSource.token`. Threads that come while one refreshes wait for its result."""
        before = self._last
        if before is not None and not refresh and claims is None and self._clock.monotonic() < self._good_until:
            return before
        with self._lock:
            forced = refresh or claims is not None
            waited = self._last is not before or not forced
            if self._last is not None and waited and self._clock.monotonic() < self._good_until:
                return self._last  # somebody else refreshed, or tried to, while we waited
            if forced:
                return self._acquire(refresh=True, claims=claims)
            return self._acquire_early()

    def _acquire_early(self) -> Secret:
        """A new token before the last one ends; that one while the sign-in service is in trouble."""
        try:
            return self._acquire(refresh=False, claims=None)
        except (Busy, BadUpstream) as error:
            if self._last is None or self._clock.monotonic() >= self._ends or isinstance(error, NeedsSignIn):
                raise
            log.warning("account %r keeps its token for now: %s", self._settings.name, error)
            self._good_until = min(self._clock.monotonic() + _AGAIN, self._ends)
            return self._last

    def _acquire(self, *, refresh: bool, claims: str | None) -> Secret:
        method = METHODS[self._settings.method]
        with self._store.locked(self._settings.name), translated(self._settings.name, self._settings.authority):
            cache = self._cache()
            application = method.application(self._settings, cache, self._http)
            result = method.acquire(application, list(self._settings.scopes), refresh=refresh, claims=claims)
            try:
                self._save(cache)
            except ConfigError as error:
                # a full disk: the token is good all the same, and the file still holds the former sign-in
                log.error("account %r: %s", self._settings.name, error)
        return self._take(result)

    def sign_in(self, show: Callable[[str], None]) -> str:
        """Let a person sign in; `show` gets the words to read. Returns the user's name.

        Raises: as `token`.
        """
        method = METHODS[self._settings.method]
        with translated(self._settings.name, self._settings.authority):
            cache = self._cache()
            application = method.application(self._settings, cache, self._http)
            result = method.sign_in(application, list(self._settings.scopes), show)
            with self._store.locked(self._settings.name):
                self._save(cache)
        self._take(result)
        return str(result.get("id_token_claims", {}).get("preferred_username", self._settings.client_id))

    def _take(self, result: dict[str, Any] | None) -> Secret:
        if result is None:
            name = self._settings.name
            raise NeedsSignIn(f"nobody has signed in to account {name!r} yet: run `davbridge login {name}`")
        if "access_token" not in result:
            raise failure(self._settings.name, result)
        try:
            lifetime = float(result.get("expires_in", 0))
        except (TypeError, ValueError):
            raise BadUpstream("the Microsoft sign-in service answered nonsense") from None
        now = self._clock.monotonic()
        self._good_until, self._ends = now + max(lifetime - _EARLY, min(lifetime, 1.0)), now + lifetime - _MARGIN
        self._last = Secret(result["access_token"])
        return self._last

    def _cache(self) -> msal.SerializableTokenCache:
        cache = msal.SerializableTokenCache()
        if serialised := self._store.read(self._settings.name):
            cache.deserialize(serialised)
        return cache

    def _save(self, cache: msal.SerializableTokenCache) -> None:
        if cache.has_state_changed:
            self._store.write(self._settings.name, cache.serialize())

    def close(self) -> None:
        self._http.close()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Http:
    """The session that MSAL uses: a timeout on all, and the CA file that was named before the environment's."""

    def __init__(self, verify: str | bool) -> None:
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else a ~/.netrc would send its password to the sign-in service
        self._verify = verify

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._session.get(url, **self._with(options))

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._session.post(url, **self._with(options))

    def _with(self, options: dict[str, Any]) -> dict[str, Any]:
        options.setdefault("timeout", _TIMEOUT)
        if self._verify is not True:
            # given with each request: REQUESTS_CA_BUNDLE would win over the session's own setting
            options["verify"] = self._verify
        return options

    def close(self) -> None:
        self._session.close()


def open_account(settings: AccountSettings, store: TokenStore, clock: Clock) -> SignedInAccount:
    """An account's token source. Nothing is sent before the first token is asked for."""
    return SignedInAccount(settings, store, clock)


def sign_in(settings: AccountSettings, store: TokenStore, clock: Clock, show: Callable[[str], None]) -> str:
    """Sign in interactively and keep the result; returns the user's name."""
    account = SignedInAccount(settings, store, clock)
    try:
        return account.sign_in(show)
    finally:
        account.close()
