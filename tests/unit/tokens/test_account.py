"""A signed-in account: when it asks for a token, and what it does while it gets none."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import requests

from davbridge.clock import ManualClock
from davbridge.errors import Busy
from davbridge.redact import Secret
from davbridge.tokens import AccountSettings, SignedInAccount, TokenStore
from davbridge.tokens.methods import client_secret


class Entra:
    """A sign-in method that gives numbered tokens, or is in trouble."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False

    def acquire(self, application: Any, scopes: list[str], *, refresh: bool, claims: str | None) -> Any:
        self.asked += 1
        if self.broken:
            raise requests.HTTPError("503 Server Error")
        return {"access_token": f"t{self.asked}", "expires_in": 3600}


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Entra:
    """Takes the place of the client-secret method."""
    made = Entra()
    monkeypatch.setattr(client_secret, "application", lambda *settings: None)
    monkeypatch.setattr(client_secret, "acquire", made.acquire)
    return made


def test_token_while_the_service_is_in_trouble(entra: Entra) -> None:
    """A token that is still good is used on, with a question now and then; one that has ended is not."""
    clock = ManualClock()
    settings = AccountSettings("a", "id", "https://login.example/t", ("x",), "client_secret", Secret("s"))
    account = SignedInAccount(settings, TokenStore(None), clock)
    assert account.token().reveal() == "t1"
    clock.advance(3400)
    entra.broken = True
    assert [account.token().reveal() for _ in range(3)] == ["t1"] * 3
    assert entra.asked == 2
    with pytest.raises(Busy):
        account.token(refresh=True)
    clock.advance(195)
    with pytest.raises(Busy):
        account.token()
    entra.broken = False
    assert account.token().reveal() == "t5"
    account.close()


def test_token_that_cannot_be_stored(entra: Entra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A full disk does not stop the service while tokens can be had."""
    settings = AccountSettings("a", "id", "https://login.example/t", ("x",), "client_secret", Secret("s"))
    account = SignedInAccount(settings, TokenStore(tmp_path), ManualClock())

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("davbridge.tokens.store.write_atomically", full)
    monkeypatch.setattr(client_secret, "application", lambda settings, cache, http: _changed(cache))
    assert account.token().reveal() == "t1"
    account.close()


def _changed(cache: Any) -> None:
    cache.has_state_changed = True
