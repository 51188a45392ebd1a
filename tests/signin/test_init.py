"""`davbridge init` at a terminal: what is asked again, what is told, and that nothing half is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from davbridge.cli.init.account import read_cloud_file
from davbridge.emulator import Emulator
from davbridge.errors import ConfigError
from tests.service.test_serve import run
from tests.signin.conftest import emulator
from tests.support.ports import free_port
from tests.support.terminal import Terminal, at_terminal

__all__ = ["emulator"]


@pytest.fixture
def cloud(emulator: Emulator, tmp_path: Path) -> Path:
    """The emulator as a private cloud; its CA file is named as it lies beside."""
    (tmp_path / "ca.pem").write_bytes(Path(emulator.ca_file).read_bytes())
    file = tmp_path / "cloud.yaml"
    file.write_text(f"graph: {emulator.graph_url}\nlogin: {emulator.login_url}\nca_file: ca.pem\n")
    for name in ("business", "documents", "archive"):
        emulator.drive(name).put("/Plans/a.txt", b"a")
    return file


@contextmanager
def started(cloud: Path, *more: str) -> Iterator[Terminal]:
    """`init` for the folder `new`, with a folder of the test's for what is temporary; that one must end up empty."""
    scratch = cloud.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(scratch)}
    place = cloud.parent / "new"
    with at_terminal("init", "--directory", str(place), "--cloud-file", str(cloud), *more, env=environment) as terminal:
        yield terminal
    assert list(scratch.iterdir()) == []


def as_person(terminal: Terminal, emulator: Emulator, *, wanted: str = "3", may_write: str = "y") -> None:
    """Up to the code."""
    terminal.answer(r"What kind.*Number \[1\]: ", "")
    terminal.answer(r"Who signs in.*Number \[1\]: ", "")
    terminal.answer(r"Tenant.*\]: ", emulator.tenant)
    terminal.answer(r"client\) id: ", emulator.client_id)
    terminal.answer(r"What is to be mounted.*Number \[\d\]: ", wanted)
    terminal.answer("May files be changed.*: ", may_write)


def own_drive(terminal: Terminal) -> None:
    """The first of the choices, whole, and no more."""
    terminal.answer(r"What shall be mounted.*Number \[1\]: ", "1")
    terminal.answer(r"Root folder.*\]: ", "")
    terminal.answer(r"Mount path.*\]: ", "/me")
    terminal.answer(r"What else.*Number \[\d\]: ", "")


def finish(terminal: Terminal) -> int:
    """A user with a password of their own, and a free address."""
    terminal.answer(r"User name.*\]: ", "alice")
    terminal.answer(r"made for you.*: ", "short", "long enough")
    terminal.answer("The same again.*: ", "something else")
    terminal.answer(r"made for you.*: ", "long enough")
    terminal.answer("The same again.*: ", "long enough")
    terminal.answer(r"Address and port.*\]: ", f"127.0.0.1:{free_port()}")
    return terminal.end()


def written(cloud: Path) -> dict:
    """What is in the file."""
    return dict(yaml.safe_load((cloud.parent / "new" / "config.yaml").read_text()))


def test_bad_answers_are_asked_again(cloud: Path, emulator: Emulator) -> None:
    """Each with its reason; the good ones stand in the file, the typed password nowhere."""
    with started(cloud) as terminal:
        terminal.answer(r"What kind.*Number \[1\]: ", "7")
        terminal.answer(r"Number \[1\]: ", "zero")
        terminal.wait_for("'zero' is none of them: type a number from 1 to 2")
        terminal.answer(r"Number \[1\]: ", "1")
        terminal.answer(r"Who signs in.*Number \[1\]: ", "device_code")
        terminal.answer(r"Tenant.*\]: ", "con toso", "consumers", "nowhere.onmicrosoft.com")
        terminal.answer(r"client\) id: ", "davbridge", "11111111-2222-3333-4444-555555555555")
        terminal.answer(r"What is to be mounted.*Number \[3\]: ", "1")
        terminal.answer("May files be changed.*: ", "n")
        terminal.wait_for("AADSTS90002")
        terminal.answer(r"What now.*Number \[2\]: ", "")
        terminal.answer(r"What kind.*Number \[1\]: ", "")
        terminal.answer(r"Who signs in.*Number \[1\]: ", "")
        terminal.answer(r"Tenant.*\[nowhere.onmicrosoft.com\]: ", emulator.tenant)
        terminal.answer(r"client\) id \[11111111-.*\]: ", emulator.client_id)
        terminal.answer(r"What is to be mounted.*Number \[3\]: ", "1")
        terminal.answer("May files be changed.*: ", "n")
        terminal.wait_for("Files.Read  ")
        terminal.answer(r"What shall be mounted.*Number \[1\]: ", "1")
        terminal.answer(r"Root folder.*\]: ", "/Nope", "/Plans/a.txt", "/Plans")
        terminal.answer(r"Mount path.*\]: ", "/a?b", "/me")
        terminal.answer(r"What else.*Number \[\d\]: ", "2")
        terminal.answer("Address.*back.*: ", "team", "https://contoso.sharepoint.com/sites/team", "")
        terminal.answer(r"What else.*Number \[\d\]: ", "")
        assert finish(terminal) == 0, terminal.text
    for told in (
        "'con toso' is no tenant",
        "consumers stands for personal accounts",
        "'davbridge' is no id",
        "there is no /Nope in 'OneDrive'",
        "/Plans/a.txt is a file",
        "may not contain % ? #",
        "it should begin with https://",
        "The sign-in was for OneDrive only",
        "shorter than 8 characters",
        "another one than before",
    ):
        assert told in terminal.text, told
    data = written(cloud)
    assert data["accounts"]["work"]["cloud"]["ca_file"] == str(cloud.parent / "ca.pem")
    assert data["policies"]["me"]["root"] == "/Plans"
    assert data["policies"]["me"]["access"] == {"alice": "read"}
    assert "long enough" not in terminal.text
    assert "and the password you typed" in terminal.text
    done = run("check", "--config", str(cloud.parent / "new" / "config.yaml"))
    assert done.returncode == 0, done.stdout


def interrupt(terminal: Terminal) -> None:
    """Ctrl-C."""
    terminal.press("\x03")


def end_input(terminal: Terminal) -> None:
    """Ctrl-D."""
    terminal.press("\x04")


def terminate(terminal: Terminal) -> None:
    """As `kill` does."""
    terminal.process.send_signal(signal.SIGTERM)


def hang_up(terminal: Terminal) -> None:
    """As a terminal that is closed."""
    terminal.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("stop", [interrupt, end_input, terminate, hang_up])
def test_stopped_at_a_question(cloud: Path, emulator: Emulator, stop: Callable[[Terminal], None]) -> None:
    """Signed in, and a drive chosen: nothing is left of it."""
    with started(cloud) as terminal:
        as_person(terminal, emulator)
        own_drive(terminal)
        terminal.wait_for(r"User name.*\]: ")
        stop(terminal)
        assert terminal.end() == 130
        assert "Nothing was written." in terminal.text
    assert not (cloud.parent / "new").exists()


def test_stopped_while_the_code_waits(cloud: Path, emulator: Emulator) -> None:
    """Nobody types the code, and Ctrl-C ends the waiting."""
    emulator.entra.auto_approve = False
    with started(cloud) as terminal:
        as_person(terminal, emulator)
        terminal.wait_for("enter the code")
        interrupt(terminal)
        assert terminal.end() == 130
        assert "Traceback" not in terminal.text
    assert not (cloud.parent / "new").exists()


def test_a_file_that_is_there(cloud: Path, emulator: Emulator) -> None:
    """It is replaced only when that was said, and what lies beside it stays."""
    place = cloud.parent / "new"
    place.mkdir()
    (place / "config.yaml").write_text("mine")
    (place / "work-secret").write_text("an earlier secret")
    with started(cloud) as terminal:
        terminal.answer("is there already. Replace it?.*: ", "")
        assert terminal.end() == 130
    assert (place / "config.yaml").read_text() == "mine"
    with started(cloud) as terminal:
        terminal.answer("is there already. Replace it?.*: ", "y")
        terminal.answer(r"What kind.*Number \[1\]: ", "")
        terminal.answer(r"Who signs in.*Number \[1\]: ", "client_secret")
        terminal.answer(r"Tenant.*: ", "organizations", emulator.tenant)
        terminal.answer(r"client\) id: ", emulator.client_id)
        terminal.answer("secret's value.*: ", emulator.client_secret)
        terminal.answer("Day on which.*: ", "soon", "2099-06-30")
        terminal.answer(r"What is to be mounted.*Number \[3\]: ", "")
        terminal.answer("May files be changed.*: ", "")
        terminal.answer(r"What shall be mounted.*Number \[1\]: ", "1")
        terminal.answer("Whose.*: ", "nobody@contoso.com", emulator.user)
        terminal.answer(r"Root folder.*\]: ", "")
        terminal.answer(r"Mount path.*\]: ", "")
        terminal.answer(r"What else.*Number \[\d\]: ", "")
        assert finish(terminal) == 0, terminal.text
    assert "'nobody@contoso.com' has no OneDrive" in terminal.text
    assert emulator.client_secret not in terminal.text
    assert (place / "work-secret").read_text() == "an earlier secret"
    assert (place / "work-secret-2").read_text().strip() == emulator.client_secret
    assert (place / "work-secret-2").stat().st_mode & 0o777 == 0o600
    account = written(cloud)["accounts"]["work"]
    assert account["client_secret"] == {"file": "work-secret-2"}
    assert str(account["secret_expires"]) == "2099-06-30"
    assert next(iter(written(cloud)["policies"].values()))["user"] == emulator.user
    assert run("check", "--config", str(place / "config.yaml")).returncode == 0


def test_less_than_was_agreed_to(cloud: Path, emulator: Emulator) -> None:
    """A sign-in for both, and OneDrive alone chosen: the file goes on asking for what was agreed to."""
    with started(cloud) as terminal:
        as_person(terminal, emulator)
        own_drive(terminal)
        assert finish(terminal) == 0, terminal.text
    assert written(cloud)["accounts"]["work"]["scopes"] == ["Files.ReadWrite.All", "Sites.Read.All"]
    assert written(cloud)["users"]["alice"]["admin"] is True
    assert "/.davbridge/, for alice with the same password" in terminal.text
    assert run("check", "--config", str(cloud.parent / "new" / "config.yaml")).returncode == 0


def test_more_than_was_agreed_to(cloud: Path, emulator: Emulator) -> None:
    """A sign-in for OneDrive, and a link to a library pasted: a second sign-in asks for what it needs."""
    link = "https://contoso.sharepoint.com/:f:/s/team/Eabc"
    emulator.drive("archive").item("/Plans").permissions.append({"link": {"webUrl": link}})
    with started(cloud) as terminal:
        as_person(terminal, emulator, wanted="1")
        terminal.answer(r"What shall be mounted.*Number \[1\]: ", "2")
        terminal.answer("Address.*back.*: ", link)
        terminal.answer(r"Mount path.*\]: ", "/team")
        terminal.answer(r"What else.*Number \[\d\]: ", "")
        assert finish(terminal) == 0, terminal.text
    assert terminal.text.count("enter the code") == 2
    assert "scopes" not in written(cloud)["accounts"]["work"]
    assert run("check", "--config", str(cloud.parent / "new" / "config.yaml")).returncode == 0


def test_a_personal_account(cloud: Path, emulator: Emulator) -> None:
    """It is asked for no tenant and offered no SharePoint, and a pasted address of one is explained."""
    with started(cloud) as terminal:
        terminal.answer(r"What kind.*Number \[1\]: ", "2")
        terminal.answer(r"Who signs in.*Number \[1\]: ", "")
        terminal.answer(r"client\) id: ", emulator.client_id)
        terminal.answer("May files be changed.*: ", "")
        terminal.answer(r"What shall be mounted.*Number \[1\]: ", "2")
        terminal.answer("Address.*back.*: ", "https://contoso.sharepoint.com/sites/team", "")
        own_drive(terminal)
        assert finish(terminal) == 0, terminal.text
    assert "has no SharePoint" in terminal.text
    assert "client_secret" not in terminal.text
    assert "look for its site" not in terminal.text
    assert written(cloud)["accounts"]["personal"]["tenant"] == "consumers"


def test_a_browser_elsewhere(cloud: Path, emulator: Emulator) -> None:
    """With --paste the address is opened anywhere, and where it ends is pasted; a wrong paste can be tried again."""
    with started(cloud, "--paste") as terminal:
        terminal.answer(r"What kind.*Number \[1\]: ", "")
        terminal.answer(r"Who signs in.*Number \[1\]: ", "browser")
        terminal.answer(r"Tenant.*\]: ", emulator.tenant)
        terminal.answer(r"client\) id: ", emulator.client_id)
        terminal.answer(r"What is to be mounted.*Number \[\d\]: ", "1")
        terminal.answer("May files be changed.*: ", "n")
        address = terminal.wait_for(r"(https://\S+/authorize\?\S+)")
        terminal.answer(r"address.*: ", "http://localhost/?code=1&state=2")
        terminal.answer(r"What now.*Number \[\d\]: ", "again")
        address = terminal.wait_for(r"(https://\S+/authorize\?\S+)")
        ends = requests.get(address, verify=emulator.ca_file, allow_redirects=False, timeout=10).headers["Location"]
        terminal.answer(r"address.*: ", ends)
        own_drive(terminal)
        assert finish(terminal) == 0, terminal.text
    assert run("check", "--config", str(cloud.parent / "new" / "config.yaml")).returncode == 0


def test_a_place_that_cannot_be(cloud: Path) -> None:
    """A folder that cannot be made is told before the first question."""
    (cloud.parent / "file").write_text("")
    done = run("init", "--directory", str(cloud.parent / "file" / "new"), "--cloud-file", str(cloud))
    assert done.returncode == 78
    assert "cannot be written to" in done.stderr
    assert "What kind" not in done.stdout


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{graph: http://x, login: https://y}", "graph: https://x", ": :", "{graph: 1, login: 2}"],
)
def test_cloud_files(tmp_path: Path, text: str) -> None:
    """What describes no cloud is refused with what to write."""
    file = tmp_path / "cloud.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="write graph: https"):
        read_cloud_file(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cloud_file(tmp_path / "none")
