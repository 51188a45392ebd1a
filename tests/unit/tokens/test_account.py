"""A signed-in account: when it asks for a token, and what it does while it gets none."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from davbridge.clock import ManualClock
from davbridge.errors import Busy, ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens import AccountSettings, SignedInAccount, TokenStore, open_account
from davbridge.tokens.methods import client_secret, device_code

CACHE = '{"RefreshToken": {"r": {"secret": "0.Rold", "credential_type": "RefreshToken"}}}'


class Entra:
    """A sign-in method that gives numbered tokens, is in trouble, or refuses."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = 0
        self.refusal: dict[str, Any] = {}
        self.claims: list[str | None] = []
        self.pause = threading.Event()
        self.pause.set()

    def acquire(self, settings: AccountSettings, cache: Any, http: Any, claims: str | None) -> Any:
        self.asked += 1
        number = self.asked
        self.claims.append(claims)
        assert self.pause.wait(10)
        if self.broken:
            self.broken -= 1
            raise requests.HTTPError("503 Server Error")
        return self.refusal or {"access_token": f"t{number}", "expires_in": 3600}


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Entra:
    """Takes the place of two methods."""
    made = Entra()
    monkeypatch.setattr(client_secret, "acquire", made.acquire)
    monkeypatch.setattr(device_code, "acquire", made.acquire)
    return made


@pytest.fixture
def clock() -> ManualClock:
    """Time stands still."""
    return ManualClock()


def settings(method: Any = "client_secret") -> AccountSettings:
    """Of an account `a`."""
    return AccountSettings("a", "id", "https://login.example/t", ("x",), method, lambda: Secret("s"))


@pytest.fixture
def account(entra: Entra, clock: ManualClock, tmp_path: Path) -> Iterator[SignedInAccount]:
    """The application's own."""
    opened = open_account(settings(), TokenStore(tmp_path, clock=clock), clock)
    yield opened
    opened.close()


@pytest.fixture
def person(entra: Entra, clock: ManualClock, tmp_path: Path) -> Iterator[SignedInAccount]:
    """A person's, who has signed in with an earlier version: the plain file is there."""
    (tmp_path / "a.json").write_text(CACHE)
    opened = open_account(settings("device_code"), TokenStore(tmp_path, clock=clock), clock)
    yield opened
    opened.close()


def test_token_while_the_service_is_in_trouble(entra: Entra, account: SignedInAccount, clock: ManualClock) -> None:
    """A token that is still good is used on, with a question now and then; one that has ended is not."""
    assert account.token().reveal() == "t1"
    clock.advance(3400)
    entra.broken = 100
    assert [account.token().reveal() for _ in range(3)] == ["t1"] * 3
    assert entra.asked == 2
    clock.advance(195)
    with pytest.raises(Busy):
        account.token()
    entra.broken = 0
    assert account.token().reveal().startswith("t")


def test_trouble_that_passes_is_waited_out(entra: Entra, account: SignedInAccount, clock: ManualClock) -> None:
    """A request that has no token waits a little instead of failing."""
    entra.broken = 2
    assert account.token().reveal() == "t3"
    assert clock.pauses == [0.2, 0.5]


def test_one_refresh_for_all_that_were_refused(entra: Entra, account: SignedInAccount) -> None:
    """50 requests come back with one dead token, some late: one refresh, and all get its result."""
    dead = account.token()
    entra.pause.clear()
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(account.token(refused=dead).reveal())) for _ in range(50)]
    for thread in threads:
        thread.start()
    entra.pause.set()
    for thread in threads:
        thread.join()
    late = account.token(refused=dead, claims='{"a":1}').reveal()
    assert [*got, late] == ["t2"] * 51
    assert entra.asked == 2


def test_one_failure_for_all_that_wait(entra: Entra, account: SignedInAccount) -> None:
    """Threads that waited for a refresh in vain do not each ask again, one after the other."""
    entra.pause.clear()
    entra.broken = 1000
    failures: list[Exception] = []

    def ask() -> None:
        try:
            account.token()
        except Busy as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    while not entra.asked:
        threading.Event().wait(0.01)
    threading.Event().wait(0.2)
    entra.pause.set()
    for thread in threads:
        thread.join()
    assert len(failures) == 20
    assert entra.asked == 5


def test_renewal_holds_nobody_up(entra: Entra, account: SignedInAccount, clock: ManualClock) -> None:
    """While one thread renews a token that is still good, the others go on with it."""
    account.token()
    clock.advance(3400)
    entra.pause.clear()
    renewing = threading.Thread(target=account.token)
    renewing.start()
    while entra.asked < 2:
        threading.Event().wait(0.01)
    assert account.token().reveal() == "t1"
    entra.pause.set()
    renewing.join()
    assert account.token().reveal() == "t2"


def test_claims_are_asked_for(entra: Entra, account: SignedInAccount) -> None:
    """A claims challenge reaches the sign-in service, once."""
    account.token(refused=account.token(), claims='{"access_token":{}}')
    assert entra.claims == [None, '{"access_token":{}}']


def test_a_sign_in_that_has_ended(
    entra: Entra, person: SignedInAccount, clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One question and one log line, not one for each request; the refresh token stays in the file."""
    entra.refusal = {"error": "invalid_grant", "error_codes": [50173]}
    for _ in range(20):
        with pytest.raises(NeedsSignIn, match="davbridge login a"):
            person.token()
    assert entra.asked == 1
    assert [record.levelno for record in caplog.records if "50173" in record.message] == [logging.ERROR]
    record = person.store.peek("a")
    assert "0.Rold" in record.cache
    assert record.trouble is not None
    other = open_account(settings("device_code"), TokenStore(tmp_path, clock=clock), clock)
    with pytest.raises(NeedsSignIn):
        other.token()
    other.close()
    assert len([record for record in caplog.records if "50173" in record.message]) == 1, "each process has told it"
    clock.advance(1000)
    entra.refusal = {}
    assert person.token().reveal() == "t3", "an administrator may have mended it"
    assert person.store.peek("a").trouble is None


def test_a_refused_token_is_dead(entra: Entra, person: SignedInAccount) -> None:
    """When Graph refuses a token and Entra gives no other one, requests fail before they are sent."""
    token = person.token()
    entra.refusal = {"error": "invalid_grant", "error_codes": [50173]}
    with pytest.raises(NeedsSignIn):
        person.token(refused=token)
    with pytest.raises(NeedsSignIn):
        person.token()
    assert entra.asked == 2


def test_a_sign_in_is_seen_at_once(entra: Entra, person: SignedInAccount, clock: ManualClock) -> None:
    """`davbridge login` in another process ends the trouble with the next request."""
    entra.refusal = {"error": "invalid_grant", "error_codes": [700082]}
    with pytest.raises(NeedsSignIn):
        person.token()
    with person.store.locked("a", patience=1) as file:
        file.write(file.read(), keep=True)
    entra.refusal = {}
    assert person.token().reveal() == "t2"


def test_a_wrong_configuration_is_not_asked_for_again_and_again(
    entra: Entra, account: SignedInAccount, clock: ManualClock
) -> None:
    """… nor logged by each request, nor remembered for long: a new secret is taken within half a minute."""
    entra.refusal = {"error": "invalid_client", "error_codes": [7000222]}
    with pytest.raises(ConfigError, match="expired"):
        account.token()
    for _ in range(5):
        with pytest.raises(Busy, match="expired"):
            account.token()
    assert entra.asked == 1
    entra.refusal = {}
    clock.advance(31)
    assert account.token().reveal() == "t2"


def test_token_that_cannot_be_stored(
    entra: Entra, account: SignedInAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk does not stop the service while tokens can be had."""

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("davbridge.tokens.store.write_atomically", full)
    assert account.token().reveal() == "t1"
    assert "No space left" in caplog.text
