"""From an empty folder to a mounted drive: `davbridge init` at a terminal, `serve`, and rclone's mount."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from davbridge.emulator import Emulator
from tests.real.programs import ENVIRONMENT, fuse_mount, need
from tests.support.ports import free_port
from tests.support.serving import serving
from tests.support.terminal import Terminal, at_terminal
from tests.support.world import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def approve(emulator: Emulator, terminal: Terminal) -> None:
    """Read the code on the screen and type it at Microsoft's page, as a person does."""
    code = terminal.wait_for(r"enter the code ([0-9A-Z]+)")
    device = next(one for one in emulator.entra.devices.values() if one.user_code == code)
    device.state = "approved"


def answer_all(emulator: Emulator, terminal: Terminal, listen: str) -> None:
    """The whole dialogue: a private cloud by its addresses, a person's account, a OneDrive and a library."""
    terminal.answer(r"Which Microsoft cloud.*Number \[1\]: ", "5")
    terminal.answer("Address of Graph.*: ", emulator.graph_url)
    terminal.answer("Address of the sign-in.*: ", emulator.login_url)
    terminal.answer("File with its CA.*: ", emulator.ca_file)
    terminal.answer(r"What kind.*Number \[1\]: ", "1")
    terminal.answer(r"Who signs in.*Number \[1\]: ", "1")
    terminal.answer("Tenant.*: ", emulator.tenant)
    terminal.answer(r"client\) id: ", emulator.client_id)
    terminal.answer(r"What is to be mounted.*Number \[3\]: ", "")
    terminal.answer("May files be changed.*: ", "y")
    approve(emulator, terminal)
    terminal.answer(r"What shall be mounted.*Number \[1\]: ", "1")
    terminal.answer(r"Root folder.*\]: ", "/Plans")
    terminal.answer(r"Mount path.*\]: ", "/me")
    terminal.answer(r"What else.*Number \[4\]: ", "2")
    terminal.answer("Words of the site's name.*: ", "Team")
    terminal.answer("Which site.*Number: ", "1")
    terminal.answer("Which libraries.*none: ", "2")
    terminal.answer(r"Root folder.*\]: ", "")
    terminal.answer(r"Mount path.*\]: ", "/team")
    terminal.answer(r"What else.*Number \[4\]: ", "")
    terminal.answer(r"User name.*\]: ", "alice")
    terminal.answer("Password.*made for you.*: ", "")
    terminal.answer(r"Address and port.*\]: ", listen)


def mounted(line: str, place: Path) -> AbstractContextManager[Path]:
    """The printed mount line, with a folder of the test's in place of the one in the home folder."""
    script = line.replace("~/davbridge", str(place)).replace("; ", "; exec ", 1)
    return fuse_mount(f"{script} --cache-dir {place}.cache --vfs-write-back 0s", place)


def test_from_nothing_to_a_mounted_drive(tmp_path: Path) -> None:
    """The answers are typed, the code is typed at Microsoft, and what is printed then serves and mounts the drive."""
    need("rclone")
    with Emulator.start() as emulator:
        emulator.entra.auto_approve = False
        emulator.drive("business").put("/Plans/2026/hello.txt", b"Hello from OneDrive\n")
        emulator.drive("business").put("/private.txt", b"not below the root folder")
        emulator.drive("archive").put("/old.txt", b"Hello from SharePoint\n")
        listen = f"127.0.0.1:{free_port()}"
        with at_terminal("init", cwd=tmp_path, env=ENVIRONMENT) as terminal:
            answer_all(emulator, terminal, listen)
            status = terminal.end()
        assert status == 0, terminal.text
        assert "ok   me: business drive" in terminal.text
        password = re.search(r", password (\S+)", terminal.text)
        assert password
        config = tmp_path / "config.yaml"
        assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "state"}
        assert [path.stat().st_mode & 0o777 for path in (config, tmp_path / "state")] == [0o600, 0o700]
        assert password[1] not in config.read_text()
        assert set(yaml.safe_load(config.read_text())["policies"]) == {"me", "team"}
        line = next(one.strip() for one in terminal.text.splitlines() if " mount --webdav-url" in one)
        with serving(config) as running:
            assert running.address == listen, running.log
            with mounted(line, tmp_path / "mnt") as place:
                assert [path.name for path in place.iterdir()] == ["2026"]
                assert (place / "2026" / "hello.txt").read_text() == "Hello from OneDrive\n"
                (place / "2026" / "new.txt").write_text("Hello from the mount\n")
                eventually(lambda: emulator.drive("business").exists("/Plans/2026/new.txt"), 30)
            with mounted(line.replace("/me ", "/team "), tmp_path / "mnt2") as place:
                assert (place / "old.txt").read_text() == "Hello from SharePoint\n"
        assert emulator.drive("business").read("/Plans/2026/new.txt") == b"Hello from the mount\n"
