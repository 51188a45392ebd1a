"""A sign-in is kept: the same person, alive through silence, with warnings before secrets end."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from davbridge.accounts import scopes
from davbridge.clock import ManualClock
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from davbridge.errors import Forbidden
from davbridge.tokens import Upkeep, report
from davbridge.tokens.expiry import expiry
from davbridge.tokens.methods import certificate
from tests.signin.conftest import PERSON, Pair, Place, make_pair
from tests.support.hurry import hurry
from tests.support.world import configuration

DAY = 86400.0


@pytest.fixture
def place(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Time is in the test's hand, today to begin with: certificates have real dates."""
    hurry(emulator, monkeypatch)
    clock = ManualClock(start=emulator.clock.now())
    with ExitStack() as stack:
        yield Place(emulator, tmp_path, configuration(emulator, tmp_path), clock, stack)


def pass_days(place: Place, days: float) -> None:
    """Here and at Microsoft."""
    assert isinstance(place.clock, ManualClock)
    place.clock.advance(days * DAY)
    place.emulator.clock.advance(days * DAY)


def asked(place: Place, upkeep: Upkeep) -> int:
    """How many tokens a look asks for."""
    with place.emulator.calls.counting() as calls:
        upkeep.look()
    return sum(call.operation == "token" for call in calls.calls)


def test_another_account_is_refused(place: Place) -> None:
    """Both are named, and the former sign-in goes on; --replace-account lets the other one in."""
    place.sign_in()
    before = place.store.peek("contoso")
    place.emulator.world.user = "mallory@contoso.onmicrosoft.com"
    with pytest.raises(Forbidden) as error:
        place.sign_in()
    assert place.emulator.user in str(error.value)
    assert "mallory@contoso.onmicrosoft.com" in str(error.value)
    assert "--replace-account" in str(error.value)
    assert place.store.peek("contoso") == before
    assert place.sign_in(replace_account=True) == "mallory@contoso.onmicrosoft.com"
    assert report(place.open(**PERSON)).who == "mallory@contoso.onmicrosoft.com"


def test_the_same_account_again(place: Place) -> None:
    """Signing in again is nothing special; the former file stays beside."""
    place.sign_in()
    assert place.sign_in() == place.emulator.user
    assert (place.folder / "tokens" / "contoso.previous").exists()


def test_the_same_person_by_another_method(place: Place) -> None:
    """A method is no other person: the browser may follow the device code."""
    place.sign_in()
    assert place.sign_in(place.visitor(has_browser=True), sign_in="browser") == place.emulator.user


def test_90_days_of_silence(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """While nobody uses the bridge, the sign-in is refreshed weekly, and no more often."""
    caplog.set_level(logging.INFO)
    place.sign_in()
    upkeep = Upkeep(place.open(**PERSON))
    total = 0
    for _ in range(200):
        pass_days(place, 0.5)
        total += asked(place, upkeep)
    assert 12 <= total <= 14
    assert "since nobody had used it" in caplog.text
    assert place.open(**PERSON).token()


def test_the_keep_alive_waits_out_trouble(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """An outage is told once an hour, not every few seconds."""
    place.sign_in()
    upkeep = Upkeep(place.open(**PERSON))
    pass_days(place, 8)
    place.emulator.faults.add("token", Status(503), times=100)
    assert asked(place, upkeep) == 1
    for _ in range(10):
        pass_days(place, 5 / DAY)
        assert asked(place, upkeep) == 0
    pass_days(place, 0.05)
    assert asked(place, upkeep) == 1
    assert caplog.text.count("tried again in an hour") == 2


def test_the_keep_alive_of_an_application(place: Place) -> None:
    """There is nothing to keep: a secret needs no refresh."""
    upkeep = Upkeep(place.open())
    pass_days(place, 30)
    assert asked(place, upkeep) == 0


def test_a_sign_in_that_has_ended_is_left_alone(place: Place) -> None:
    """Entra is not asked again and again for what only a person can mend."""
    place.sign_in()
    place.emulator.entra.revoked = True
    upkeep = Upkeep(place.open(**PERSON))
    pass_days(place, 8)
    assert [asked(place, upkeep) for _ in range(3)] == [1, 0, 0]
    pass_days(place, 1)
    assert asked(place, upkeep) == 0


@pytest.mark.parametrize("what", ["secret", "certificate"])
def test_warnings_before_the_end(place: Place, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """30, 7 and 1 days before, and when it has come: one line each, and `status` says so all the time."""
    changes: dict[str, Any]
    if what == "secret":
        changes = {"secret_expires": (place.clock.now() + timedelta(days=40)).date()}
    else:
        (tmp_path / "app.pem").write_bytes(make_pair(days=40).pem())
        own = {"file": str(tmp_path / "app.pem")}
        changes = {"sign_in": "certificate", "client_secret": None, "certificate": own}
    account = place.open(**changes)
    upkeep = Upkeep(account)
    told = []
    assert not report(account).warning
    assert report(account).expires
    for day in range(43):
        caplog.clear()
        for _ in range(4):
            upkeep.look()
            pass_days(place, 0.25)
        told += [day for record in caplog.records if "expire" in record.getMessage()]
    assert len(told) == 4
    assert [b - a for a, b in itertools.pairwise(told)] == [23, 6, 1]
    assert "expired on" in report(account).warning


def test_a_certificate_is_read_when_it_is_new(
    place: Place, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all who ask when it ends, and again when the file is replaced, or could not be used."""
    reads = []
    read = certificate.read
    monkeypatch.setattr(certificate, "read", lambda files: reads.append(files) or read(files))
    file = tmp_path / "app.pem"
    of_file = {"sign_in": "certificate", "client_secret": None, "certificate": {"file": str(file)}}
    file.write_bytes(b"nothing")
    settings = place.settings(**of_file)
    assert [expiry(settings) for _ in range(2)] == [None, None]
    assert len(reads) == 2
    file.write_bytes(pair.pem())
    assert {expiry(settings) for _ in range(3)} == {expiry(settings)}
    assert len(reads) == 3
    other = make_pair(days=10)
    file.write_bytes(other.pem())
    told = expiry(settings)
    assert told is not None
    assert told.ends == other.certificate.not_valid_after_utc
    file.unlink()
    assert expiry(settings) is None


@pytest.mark.parametrize(
    ("policies", "tenant", "wanted"),
    [
        ({"me": {"access": {"alice": "read"}}}, "common", ["Files.Read"]),
        ({"me": {"access": {"alice": "write"}}}, "common", ["Files.ReadWrite"]),
        ({"me": {"access": {"alice": "write"}}}, "consumers", ["Files.ReadWrite"]),
        ({"me": {"access": {"alice": "write"}, "user": "bob@x"}}, "organizations", ["Files.ReadWrite.All"]),
        ({"team": {"access": {"alice": "read"}}}, "common", ["Files.Read.All", "Sites.Read.All"]),
        (
            {"me": {"access": {"alice": "write"}}, "team": {"access": {"alice": "read"}}},
            "common",
            ["Files.ReadWrite.All", "Sites.Read.All"],
        ),
    ],
)
def test_least_scopes(place: Place, policies: dict[str, Any], tenant: str, wanted: list[str]) -> None:
    """A person is asked for what the account's policies need, and for no more."""
    config = place.with_(**PERSON, tenant=tenant)
    chosen = {
        name: config.policies[name].model_copy(update={"user": None, **changes}) for name, changes in policies.items()
    }
    assert list(scopes(config.model_copy(update={"policies": chosen}), "contoso")) == wanted


def test_scopes_of_ones_own_choice(place: Place) -> None:
    """`scopes` in the configuration wins; an application takes what it was granted."""
    assert scopes(place.with_(**PERSON, scopes=["Sites.Selected"]), "contoso") == ("Sites.Selected",)
    assert scopes(place.config, "contoso") == (".default",)


@pytest.mark.parametrize(
    ("cloud", "login", "scope"),
    [
        ("global", "https://login.microsoftonline.com/t", "https://graph.microsoft.com/.default"),
        ("us_gov", "https://login.microsoftonline.us/t", "https://graph.microsoft.us/.default"),
        ("us_gov_dod", "https://login.microsoftonline.us/t", "https://dod-graph.microsoft.us/.default"),
        ("china", "https://login.chinacloudapi.cn/t", "https://microsoftgraph.chinacloudapi.cn/.default"),
        (
            {"graph": "https://graph.example/v1.0", "login": "https://login.example"},
            "https://login.example/t",
            "https://graph.example/.default",
        ),
    ],
)
def test_clouds(place: Place, cloud: Any, login: str, scope: str) -> None:
    """The national clouds and a pair of endpoints of one's own: scopes are of that cloud's Graph host."""
    made = place.settings(cloud=cloud, tenant="t")
    assert made.authority == login
    assert made.scopes == (scope,)
    assert made.instance_discovery == isinstance(cloud, str)


def test_another_configuration_does_not_use_the_old_token(place: Place) -> None:
    """A token that was got with other scopes or another client is not taken from the file."""
    place.sign_in()
    place.sign_in(scopes=["Files.Read"])  # both are agreed to
    first = place.open(**PERSON).token()
    assert place.open(**PERSON).token() == first
    assert place.open(**PERSON, scopes=["Files.Read"]).token() != first


def test_nothing_is_lost_with_the_caches(place: Place) -> None:
    """The mirror, the state file and every cache may go: the sign-in is in a file of its own."""
    place.sign_in()
    for path in place.folder.iterdir():
        if path.is_file():
            path.unlink()
    assert [path.name for path in place.folder.iterdir()] == ["tokens"]
    with place.emulator.calls.counting() as calls:
        assert place.open(**PERSON).token()
    assert not calls.calls
