"""Sign-in methods: one file each, and one line here."""

from __future__ import annotations

from typing import Any, Protocol

from davbridge.tokens.methods import client_secret, device_code


class Method(Protocol):
    """A module that signs in with MSAL."""

    def application(self, settings: Any, cache: Any, http: Any) -> Any:
        """The MSAL application."""

    def acquire(self, application: Any, scopes: list[str], *, refresh: bool, claims: str | None) -> Any:
        """A token without a person: MSAL's result dictionary, or None when nobody has signed in."""

    def sign_in(self, application: Any, scopes: list[str], show: Any) -> Any:
        """A token with a person's help."""


METHODS: dict[str, Method] = {"client_secret": client_secret, "device_code": device_code}
