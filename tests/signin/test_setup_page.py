"""docs/setup-entra.md as a new user follows it: each of its YAML pieces, pasted, signs in at the emulator."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mission.conftest import Person, emulator, person
from tests.service.test_serve import run
from tests.signin.conftest import Pair, make_pair
from tests.support.ports import free_port

__all__ = ["emulator", "person"]

PAGE = Path(__file__).parents[2] / "docs" / "setup-entra.md"
PIECES: list[dict[str, Any]] = [
    yaml.safe_load(textwrap.dedent(piece)) for piece in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
]
WHOLE = next(piece for piece in PIECES if "accounts" in piece)
KEYS = {piece["sign_in"]: piece for piece in PIECES if "sign_in" in piece}


def prepared(person: Person, way: str, pair: Pair) -> dict[str, Any]:
    """The keys as the page has them, with files at places of this test; what is done at Microsoft is done."""
    world, folder = person.emulator.world, person.file.parent
    keys = {"tenant": WHOLE["accounts"]["mine"]["tenant"], "sign_in": way, **KEYS.get(way, {})}
    if way == "client_secret":
        (folder / "secret").write_text(person.emulator.client_secret)
        keys["client_secret"] = {"file": "secret"}
    if way == "certificate":
        (folder / "app.pem").write_bytes(pair.pem())
        world.certificates.append(pair.certificate)
        keys["certificate"] = {"file": "app.pem"}
    if way == "workload_identity":
        (folder / "token").write_text("a.b.c")
        world.federated_tokens.add("a.b.c")
        keys["federated_token_file"] = "token"
    if way == "managed_identity":
        keys["tenant"] = keys["client_id"] = None
    return keys


@pytest.mark.parametrize(
    "way", ["device_code", "client_secret", "certificate", "managed_identity", "workload_identity"]
)
def test_each_way_to_sign_in(person: Person, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pasted into the page's own configuration, `login --check` or `check` says `ok`."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", person.emulator.identity_url)
    account = yaml.safe_load(person.file.read_text())["accounts"]["contoso"]
    keys = prepared(person, way, make_pair())
    merged = {**WHOLE["accounts"]["mine"], "client_id": account["client_id"], "cloud": account["cloud"], **keys}
    whole = {**WHOLE, "accounts": {"mine": {key: value for key, value in merged.items() if value is not None}}}
    whole["users"] = yaml.safe_load(person.file.read_text())["users"]
    whole["policies"] = {name: dict(policy) for name, policy in WHOLE["policies"].items()}
    whole["state"] = {"directory": "state"}
    if way != "device_code":
        whole["policies"]["my-files"]["user"] = person.emulator.user
    person.file.write_text(yaml.safe_dump(whole))
    if way == "device_code":
        assert "ok   my-files: business drive" in person.run("login", "--check", "mine")
    said = person.run("check")
    assert "ok   my-files: business drive" in said
    assert "ok   account mine: signed in" in said


def test_all_ways_are_on_the_page() -> None:
    """`browser` has the keys of `device_code`; the others have a piece each."""
    assert set(KEYS) == {"client_secret", "certificate", "managed_identity", "workload_identity"}
    assert WHOLE["accounts"]["mine"]["sign_in"] == "device_code"
    assert "`sign_in: browser`" in PAGE.read_text()


def test_an_account_that_never_got_a_token(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` does not call it signed in beside a policy that fails."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{free_port()}")
    person.account(sign_in="managed_identity", tenant=None, client_id=None)
    person.change(lambda data: data["policies"]["me"].update(user=person.emulator.user))
    done = run("check", "--config", str(person.file))
    assert done.returncode == 1
    assert "is this machine in Azure, and its identity switched on?" in done.stdout
    assert "ok   account" not in done.stdout
