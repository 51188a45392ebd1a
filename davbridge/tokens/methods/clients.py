"""MSAL's two kinds of application, made the same way for all methods (facts: Graph §10.9)."""

from __future__ import annotations

from typing import Any

import msal

from davbridge.tokens.http import Http
from davbridge.tokens.settings import AccountSettings

CAPABILITIES = ["CP1"]
"""We honour claims challenges, so Entra gives tokens that live longer and can be revoked (facts: Graph §10.8)."""


def public_client(settings: AccountSettings, cache: Any, http: Http) -> msal.PublicClientApplication:
    """For people: nothing that this program knows is a secret of the app's."""
    return msal.PublicClientApplication(settings.client_id, **_options(settings, cache, http))


def confidential_client(
    settings: AccountSettings, credential: Any, cache: Any, http: Http
) -> msal.ConfidentialClientApplication:
    """For the application itself; `credential` as MSAL takes it."""
    return msal.ConfidentialClientApplication(
        settings.client_id, client_credential=credential, **_options(settings, cache, http)
    )


def refreshed(application: msal.PublicClientApplication, settings: AccountSettings, claims: str | None) -> Any:
    """A token by the refresh token of the one account in the cache; None without one."""
    accounts = application.get_accounts()
    if not accounts:
        return None
    return application.acquire_token_silent_with_error(
        list(settings.scopes), account=accounts[0], force_refresh=True, claims_challenge=claims
    )


def for_itself(application: msal.ConfidentialClientApplication, settings: AccountSettings, claims: str | None) -> Any:
    """A token of the application's own (client credentials)."""
    application.remove_tokens_for_client()  # else MSAL gives the one that Graph may just have refused
    return application.acquire_token_for_client(scopes=list(settings.scopes), claims_challenge=claims)


def _options(settings: AccountSettings, cache: Any, http: Http) -> dict[str, Any]:
    return {
        "authority": settings.authority,
        "token_cache": cache,
        "http_client": http,
        "client_capabilities": CAPABILITIES,
        # a private cloud is not in Microsoft's list of its own
        "instance_discovery": None if settings.instance_discovery else False,
    }
