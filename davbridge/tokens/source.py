"""What the transport needs of a sign-in: a token, a fresher one, or a clear error."""

from __future__ import annotations

from typing import Protocol

from davbridge.redact import Secret


class TokenSource(Protocol):
    """Gives bearer tokens; instances are shared by all threads."""

    def token(self, *, refresh: bool = False, claims: str | None = None) -> Secret:
        """A token that is good now.

        `refresh` asks for another one than the last (Graph said 401); `claims` is the JSON of a claims challenge.

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

    def token(self, *, refresh: bool = False, claims: str | None = None) -> Secret:
        """The token, whatever is asked."""
        return self._value
