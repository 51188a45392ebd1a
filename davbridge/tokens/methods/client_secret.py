"""App-only sign-in with a client secret (OAuth 2.0 client credentials; facts: Graph §10.2)."""

from __future__ import annotations

from typing import Any

from davbridge.errors import ConfigError
from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import confidential_client, for_itself
from davbridge.tokens.methods.visitor import Visitor
from davbridge.tokens.settings import AccountSettings

needs_person = False


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """With the secret as it is now: a new one is taken without a restart.

    Raises:
        ConfigError: the secret is not where it should be.
    """
    if settings.client_secret is None:
        raise ConfigError(f"account {settings.name!r} needs client_secret")
    try:
        secret = settings.client_secret()
    except ValueError as error:
        raise ConfigError(f"account {settings.name!r}: client_secret: {error}") from None
    return for_itself(confidential_client(settings, secret.reveal(), cache, http), settings, claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Nobody is needed."""
    return acquire(settings, cache, http, claims)
