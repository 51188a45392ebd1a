"""`login`, `status` and `check` as a person runs them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from tests.service.test_serve import change, config, run
from tests.signin.conftest import emulator

__all__ = ["config", "emulator"]


@pytest.fixture
def person(config: Path) -> Path:
    """The configuration with a person's account."""

    def by_person(data: dict) -> None:
        data["accounts"]["contoso"]["sign_in"] = "device_code"
        del data["accounts"]["contoso"]["client_secret"]
        del data["policies"]["me"]["user"]

    return change(config, by_person)


def test_status_of_an_account(person: Path, emulator: Emulator) -> None:
    """State, who, tenant, scopes, last refresh and expiries; exit status 1 while somebody is needed."""
    before = run("status", "--config", str(person))
    assert before.returncode == 1
    assert "FAIL account contoso: not signed in (device_code, tenant contoso.onmicrosoft.com)" in before.stdout
    assert "run `davbridge login contoso`" in before.stdout
    login = run("login", "--config", str(person))
    assert "Files.ReadWrite.All  read and change all files that you can open" in login.stdout
    assert login.stdout.index("Files.ReadWrite.All") < login.stdout.index("enter the code")
    shown = run("status", "--config", str(person))
    assert shown.returncode == 0, shown.stdout
    assert f"account contoso: ok (device_code, {emulator.user}" in shown.stdout
    assert "would end unused on" in shown.stdout
    told = json.loads(run("status", "--json", "--config", str(person)).stdout)["accounts"]["contoso"]
    assert told["state"] == "ok"
    assert set(told["scopes"]) >= {"Files.ReadWrite.All", "Sites.Read.All"}
    assert f"signed in as {emulator.user}" in run("check", "--config", str(person)).stdout
    emulator.entra.revoked = True
    for token in emulator.world.tokens.values():
        token.good = False
    ended = run("status", "--json", "--config", str(person))
    assert ended.returncode == 1
    told = json.loads(ended.stdout)["accounts"]["contoso"]
    assert told["state"] == "needs sign-in"
    assert "AADSTS50173" in told["message"]


def test_another_account_needs_the_option(person: Path, emulator: Emulator) -> None:
    """`login` names both and changes nothing; with --replace-account it does."""
    run("login", "--config", str(person))
    emulator.world.user = "mallory@contoso.onmicrosoft.com"
    refused = run("login", "--config", str(person))
    assert refused.returncode == 1
    assert emulator.user in refused.stderr
    assert "mallory@contoso.onmicrosoft.com" in refused.stderr
    done = run("login", "--replace-account", "--config", str(person))
    assert done.returncode == 0, done.stderr
    assert "signed in as mallory@contoso.onmicrosoft.com" in done.stdout


def test_a_secret_that_ends_soon(config: Path, emulator: Emulator) -> None:
    """`status` and `check` warn, and are well all the same."""

    def soon(data: dict) -> None:
        data["accounts"]["contoso"]["secret_expires"] = (emulator.clock.now() + timedelta(days=5)).date()

    change(config, soon)
    for command in ("status", "check"):
        done = run(command, "--config", str(config))
        assert done.returncode == 0, done.stdout
        assert "WARN" in done.stdout
        assert "the client secret expires on" in done.stdout
