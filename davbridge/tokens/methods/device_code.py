"""Sign-in of a person on another device (RFC 8628; facts: Graph §10.2). Needs no redirect URI and no browser here."""

from __future__ import annotations

import time
from typing import Any

import requests
from msal.exceptions import MsalServiceError

from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import public_client, refreshed
from davbridge.tokens.methods.visitor import DeviceCode, Visitor, WebPage
from davbridge.tokens.settings import AccountSettings

needs_person = True


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """By the refresh token."""
    return refreshed(public_client(settings, cache, http), settings, claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Show the code, then wait until the person has typed it, or its 15 minutes are over."""
    application = public_client(settings, cache, http)
    flow = application.initiate_device_flow(scopes=list(settings.scopes), claims_challenge=claims)
    if "user_code" not in flow:
        return flow
    if isinstance(visitor, WebPage):
        visitor.show_code(DeviceCode(str(flow["user_code"]), str(flow["verification_uri"]), float(flow["expires_at"])))
    else:
        visitor.show(str(flow["message"]))
    while True:
        try:
            # a new application each time: MSAL answers from memory for a minute after a 5xx
            application = public_client(settings, cache, http)
            return application.acquire_token_by_device_flow(flow, claims_challenge=claims)
        except (requests.RequestException, MsalServiceError):
            # the person may be typing: one bad answer is no reason to begin again
            if time.time() >= flow["expires_at"]:
                raise
            time.sleep(float(flow.get("interval", 5)))
