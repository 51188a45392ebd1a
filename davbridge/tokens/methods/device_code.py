"""Sign-in of a person on another device (RFC 8628; facts: Graph §10.2). Refresh tokens are kept and rotated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msal


def application(settings: Any, cache: Any, http: Any) -> msal.PublicClientApplication:
    """The public client."""
    return msal.PublicClientApplication(
        settings.client_id,
        authority=settings.authority,
        token_cache=cache,
        http_client=http,
        instance_discovery=None if settings.instance_discovery else False,
    )


def acquire(application: Any, scopes: list[str], *, refresh: bool, claims: str | None) -> Any:
    """A token by the refresh token of the one account in the store."""
    accounts = application.get_accounts()
    if not accounts:
        return None
    return application.acquire_token_silent_with_error(
        scopes, account=accounts[0], force_refresh=refresh, claims_challenge=claims
    )


def sign_in(application: Any, scopes: list[str], show: Callable[[str], None]) -> Any:
    """Show the code, then wait until the person has typed it, or its 15 minutes are over."""
    flow = application.initiate_device_flow(scopes=scopes)
    if "user_code" not in flow:
        return flow
    show(str(flow["message"]))
    for known in application.get_accounts():
        application.remove_account(known)  # one account a file: signing in again replaces the former
    return application.acquire_token_by_device_flow(flow)
