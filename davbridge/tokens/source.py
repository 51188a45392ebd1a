"""What the transport needs of a sign-in: a token, another one than the refused, or a clear error."""

from __future__ import annotations

from typing import Protocol

from davbridge.redact import Secret


class TokenSource(Protocol):
    """Gives bearer tokens; instances are shared by all threads."""

    def token(self, *, refused: Secret | None = None, claims: str | None = None) -> Secret:
        """A token that is good now.

        `refused` is the one that Graph has just answered 401 to: another one is given, and of all the requests that
        come back with the same token one makes a refresh. `claims` is the JSON of a claims challenge.

        Raises:
            NeedsSignIn: a person must sign in again.
            Busy: the sign-in service is unavailable for now.
            BadUpstream: it answered nonsense, or the network is broken.
            ConfigError: tenant, client id or secret are wrong.
        """


class FixedToken:
    """A token that never changes: for tests."""

    def __init__(self, value: str) -> None:
        self._value = Secret(value)

    def token(self, *, refused: Secret | None = None, claims: str | None = None) -> Secret:
        """The token, whatever is asked."""
        return self._value
