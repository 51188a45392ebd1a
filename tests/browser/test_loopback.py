"""`davbridge login` with `sign_in: browser`: a real terminal, and a real browser that comes back to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from davbridge.emulator.faults import Aadsts
from tests.browser.conftest import Open
from tests.mission.conftest import Person, emulator, person
from tests.support.terminal import Terminal, at_terminal
from tests.support.world import eventually

__all__ = ["emulator", "person"]


@pytest.fixture
def opened(person: Person) -> Path:
    """Signs in by browser; where the address lies that `login` opens it with."""
    person.account(sign_in="browser")
    return person.file.with_name("opened")


def surroundings(opened: Path) -> dict[str, str]:
    """A screen, and a browser on it that notes what it is opened with."""
    program = opened.with_name("browser")
    program.write_text(f"#!/bin/sh\nprintf %s \"$1\" > '{opened}.new' && mv '{opened}.new' '{opened}'\n")
    program.chmod(0o755)
    without = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    return {**without, "DISPLAY": ":0", "BROWSER": f"{program} %s"}


def log_in(person: Person, opened: Path, open_page: Open, words: str) -> tuple[int, Terminal]:
    """The person follows Microsoft's page to where it sends the browser, and reads `words` there."""
    with at_terminal("login", "--check", "--config", str(person.file), env=surroundings(opened)) as terminal:
        eventually(opened.exists, 60)
        page = open_page("http://localhost:", ignore_https_errors=True)
        page.goto(opened.read_text())
        expect(page.locator("body")).to_contain_text(words)
        expect(page.locator("body")).to_contain_text("You can close this page")
        assert page.url.startswith("http://localhost:")
        return terminal.end(), terminal


def test_the_browser_comes_back(person: Person, opened: Path, open_page: Open) -> None:
    """Nothing has to be copied: the terminal goes on by itself, and the drives are there."""
    status, terminal = log_in(person, opened, open_page, "go back to davbridge")
    assert status == 0, terminal.text
    assert f"signed in as {person.emulator.user}" in terminal.text
    assert "ok   me: business drive" in terminal.text


def test_microsoft_says_no_afterwards(person: Person, opened: Path, open_page: Open) -> None:
    """The reason stands in the terminal."""
    person.emulator.faults.add("token", Aadsts(53003))
    status, terminal = log_in(person, opened, open_page, "go back to davbridge")
    assert status == 1
    assert "a conditional access policy of your organisation forbids this sign-in" in terminal.text
    assert "try `sign_in: browser`" not in terminal.text
