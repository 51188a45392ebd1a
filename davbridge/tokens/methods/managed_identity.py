"""Sign-in of the machine or service that the bridge runs on in Azure: no secret at all (facts: Graph §10.9)."""

from __future__ import annotations

from typing import Any

import msal

from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import CAPABILITIES
from davbridge.tokens.methods.visitor import Visitor
from davbridge.tokens.settings import AccountSettings

needs_person = False


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """From the machine's own endpoint; Azure says by environment variables which. `client_id`: a user-assigned one."""
    identity = (
        msal.UserAssignedManagedIdentity(client_id=settings.client_id)
        if settings.client_id
        else msal.SystemAssignedManagedIdentity()
    )
    http.direct()
    # a cache of its own, empty: the token in the given one may be the one that Graph has refused
    client = msal.ManagedIdentityClient(identity, http_client=http, client_capabilities=CAPABILITIES)
    resource = settings.scopes[0].removesuffix("/.default")
    return client.acquire_token_for_client(resource=resource, claims_challenge=claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Nobody is needed."""
    return acquire(settings, cache, http, claims)
