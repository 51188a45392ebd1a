"""Sign-in of a person in a browser: authorisation code with PKCE (RFC 8252; facts: Graph §10.2).

The browser comes back to a listener on this machine. Where none can be opened here, the person signs in anywhere, and
pastes the address at which the browser ends: its page cannot be shown, and need not be. No https callback, so no
certificate of ours is in the way.
"""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from davbridge.errors import Forbidden
from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import public_client, refreshed
from davbridge.tokens.methods.loopback import Loopback
from davbridge.tokens.methods.visitor import Visitor, WebPage
from davbridge.tokens.settings import AccountSettings

needs_person = True
_SECONDS = 600.0


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """By the refresh token."""
    return refreshed(public_client(settings, cache, http), settings, claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Send the person to Microsoft, and take what they bring back.

    Raises:
        Forbidden: it belongs to another sign-in, or nobody came back.
    """
    application = public_client(settings, cache, http)
    if isinstance(visitor, WebPage):
        flow = _begin(application, settings, visitor.redirect_uri, claims)
        return _end(application, flow, pasted(visitor.bring(flow["auth_uri"]))) if "auth_uri" in flow else flow
    with Loopback() as loopback:
        flow = _begin(application, settings, loopback.uri, claims)
        if "auth_uri" not in flow:
            return flow
        visitor.show(f"Open this page, and sign in:\n{flow['auth_uri']}")
        visitor.show("(The app registration needs the redirect URI http://localhost, for mobile and desktop apps.)")
        if visitor.browse(flow["auth_uri"]):
            brought = loopback.wait(flow["state"], _SECONDS)
            if brought is None:
                raise Forbidden("nobody has signed in within ten minutes; begin again")
            return _end(application, flow, brought)
    # nobody listens any more: a browser on this machine would be told to close the page whose address is needed here
    question = "In the end the browser shows that localhost cannot be reached. Paste that page's address here"
    return _end(application, flow, pasted(visitor.ask(question)))


def _end(application: Any, flow: Any, brought: dict[str, str]) -> Any:
    # before MSAL looks: its message would show both values
    if brought.get("state") != flow["state"]:
        raise Forbidden("that address is not the end of this sign-in (its `state` is another one); begin again")
    try:
        return application.acquire_token_by_auth_code_flow(flow, brought)
    except RuntimeError as error:
        # MSAL's word for an id token whose nonce is not ours
        raise Forbidden(
            "Microsoft's answer belongs to another sign-in (its `nonce` is not ours); begin again"
        ) from error


def _begin(application: Any, settings: AccountSettings, uri: str, claims: str | None) -> Any:
    with warnings.catch_warnings():
        # MSAL recommends form_post; an address can only be pasted when the code is in it, and PKCE guards it
        warnings.simplefilter("ignore", UserWarning)
        return application.initiate_auth_code_flow(
            list(settings.scopes), redirect_uri=uri, prompt="select_account", claims_challenge=claims
        )


def pasted(address: str) -> dict[str, str]:
    """The answer in an address that a person has copied, whatever is around it.

    Raises:
        Forbidden: there is none.
    """
    parts = urlsplit(address.strip().strip("'\"<>"))
    answer = dict(parse_qsl(parts.query or parts.fragment))
    if "code" not in answer and "error" not in answer:
        raise Forbidden("that is not the address at which the sign-in ended: it has `code=…` in it; begin again")
    return answer
