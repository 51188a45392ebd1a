"""App-only sign-in with a token of another identity provider, such as Kubernetes or GitHub (federated credentials)."""

from __future__ import annotations

from typing import Any

from davbridge.errors import ConfigError
from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import confidential_client, for_itself
from davbridge.tokens.methods.visitor import Visitor
from davbridge.tokens.settings import AccountSettings

needs_person = False


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """With the token that lies in the file now: the platform replaces it every hour or so.

    Raises:
        ConfigError: there is none.
    """
    file = settings.federated_token_file
    if file is None:
        raise ConfigError(f"account {settings.name!r} needs federated_token_file")
    try:
        assertion = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no token"
        raise ConfigError(f"account {settings.name!r}: {file} cannot be read: {reason}") from None
    if not assertion:
        raise ConfigError(f"account {settings.name!r}: {file} is empty")
    credential = {"client_assertion": lambda: assertion}
    return for_itself(confidential_client(settings, credential, cache, http), settings, claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Nobody is needed."""
    return acquire(settings, cache, http, claims)
