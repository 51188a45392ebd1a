"""Sign-in methods: one file each, and one line here."""

from __future__ import annotations

from typing import Any, Protocol

from davbridge.tokens.http import Http
from davbridge.tokens.methods import (
    browser,
    certificate,
    client_secret,
    device_code,
    managed_identity,
    workload_identity,
)
from davbridge.tokens.methods.visitor import DeviceCode, Visitor, WebPage
from davbridge.tokens.settings import AccountSettings, SignInMethod

__all__ = ["METHODS", "DeviceCode", "Method", "Visitor", "WebPage"]


class Method(Protocol):
    """A module that signs in with MSAL. Both functions return MSAL's result dictionary, and raise what MSAL raises."""

    needs_person: bool
    """Whether somebody has to be there for the first token."""

    def acquire(self, settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
        """A new token without a person, never one from the cache; None when nobody has signed in.

        `claims` is the JSON of a claims challenge. What the next refresh needs is in `cache` afterwards.
        """

    def sign_in(self, settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
        """A token with a person's help; `cache` is empty before."""


METHODS: dict[SignInMethod, Method] = {
    "device_code": device_code,
    "browser": browser,
    "client_secret": client_secret,
    "certificate": certificate,
    "managed_identity": managed_identity,
    "workload_identity": workload_identity,
}
