"""One person with a configuration file, the emulated Microsoft, and the program as they run it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from davbridge.app import build
from davbridge.config import load
from davbridge.edge import Limits
from davbridge.emulator import Emulator
from davbridge.tokens import SignedInAccount
from tests.service.test_serve import run
from tests.signin.conftest import emulator
from tests.support.clock import HastyClock
from tests.support.dav import Dav
from tests.support.world import USERS, configuration

__all__ = ["emulator"]


@dataclass
class Person:
    """`file` is the configuration: one account, `contoso`, signed in by device code unless changed."""

    emulator: Emulator
    file: Path

    def change(self, act: Callable[[dict[str, Any]], None]) -> None:
        """Edit the file."""
        data = yaml.safe_load(self.file.read_text())
        act(data)
        self.file.write_text(yaml.safe_dump(data))

    def account(self, **changes: Any) -> None:
        """Change keys of the account; None takes one away."""

        def act(data: dict[str, Any]) -> None:
            before = data["accounts"]["contoso"]
            data["accounts"]["contoso"] = {k: v for k, v in {**before, **changes}.items() if v is not None}

        self.change(act)

    def run(self, command: str, *words: str, stdin: str = "", status: int = 0) -> str:
        """What a command says, on both channels; `status` is the exit status that is expected."""
        done: subprocess.CompletedProcess[str] = run(command, "--config", str(self.file), *words, stdin=stdin)
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert "Traceback" not in said
        return said

    def status(self) -> dict[str, Any]:
        """`davbridge status --json`, whatever its exit status."""
        told: dict[str, Any] = json.loads(run("status", "--json", "--config", str(self.file)).stdout)
        return told

    @contextmanager
    def bridge(self) -> Iterator[tuple[Dav, SignedInAccount]]:
        """The bridge in this process, a client at the OneDrive, and the account."""
        bridge = build(load(self.file), HastyClock(), Limits(threads=8))
        bridge.server.start()
        dav = Dav(f"http://{bridge.server.addresses[0]}", "alice", USERS["alice"], "/me/")
        try:
            yield dav, bridge.accounts["contoso"]
        finally:
            dav.close()
            bridge.server.drain(5)
            bridge.close()

    def end_tokens(self) -> None:
        """No access token that was given is good any more."""
        for token in self.emulator.world.tokens.values():
            token.good = False


@pytest.fixture
def person(emulator: Emulator, tmp_path: Path) -> Person:
    """Not signed in yet."""
    data = json.loads(configuration(emulator, tmp_path).model_dump_json(exclude_defaults=True))
    data["server"] = {"listen": ["127.0.0.1:0"], "workers": 1}
    for policy in data["policies"].values():
        policy["push"] = False
    data["policies"]["me"].pop("user")
    data["accounts"]["contoso"].pop("client_secret")
    data["accounts"]["contoso"]["sign_in"] = "device_code"
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(data))
    return Person(emulator, file)


@pytest.fixture
def alice(person: Person) -> Person:
    """Signed in."""
    person.run("login")
    return person
