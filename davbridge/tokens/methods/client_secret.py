"""App-only sign-in with a client secret (OAuth 2.0 client credentials; facts: Graph §10.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msal


def application(settings: Any, cache: Any, http: Any) -> msal.ConfidentialClientApplication:
    """The confidential client."""
    return msal.ConfidentialClientApplication(
        settings.client_id,
        client_credential=settings.client_secret.reveal(),
        authority=settings.authority,
        token_cache=cache,
        http_client=http,
        instance_discovery=None if settings.instance_discovery else False,
    )


def acquire(application: Any, scopes: list[str], *, refresh: bool, claims: str | None) -> Any:
    """A token from the cache or from Entra; MSAL looks into its cache by itself unless told to forget."""
    if refresh:
        application.remove_tokens_for_client()
    return application.acquire_token_for_client(scopes=scopes, claims_challenge=claims)


def sign_in(application: Any, scopes: list[str], show: Callable[[str], None]) -> Any:
    """Nobody is needed."""
    return acquire(application, scopes, refresh=True, claims=None)
