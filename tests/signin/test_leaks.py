"""The watch over all tests (`tests/support/leaks.py`) sees each kind of leak: proved by planting one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import requests

from davbridge.emulator.world import MARK, secret
from davbridge.errors import BadUpstream
from tests.service.test_serve import config, run
from tests.signin.conftest import Place, emulator
from tests.support import leaks

__all__ = ["config", "emulator"]


@pytest.fixture(autouse=True)
def seen(_no_leaks: None) -> Iterator[list[str]]:
    """What the watch has found; forgotten afterwards, since here it was planted."""
    yield leaks.found
    leaks.found.clear()


def test_t17_a_log_line(seen: list[str]) -> None:
    """One of ours, at any level; nothing that a filter would have to take out."""
    logging.getLogger("davbridge.graph").debug("PUT https://storage.example/up?tempauth=%s", secret(8))
    assert len(seen) == 1
    assert "before the filter" in seen[0]


def test_t17_a_line_of_a_library(seen: list[str]) -> None:
    """At DEBUG, as it leaves the handler of the bridge: what the filter removes is none."""
    logging.getLogger("urllib3.connectionpool").debug('"GET /upload/%s HTTP/1.1" 200', secret(8))
    logging.getLogger("urllib3.connectionpool").debug("Max retries exceeded with url: /x?tempauth=%s", secret(8))
    assert not seen
    logging.getLogger("msal.token_cache").debug("event=%s", secret(8))
    assert len(seen) == 1


def test_t17_a_traceback(seen: list[str]) -> None:
    """… and of an exception that is logged."""
    try:
        raise ValueError(f"bad token {secret(8)}")
    except ValueError:
        logging.getLogger("davbridge.dav").exception("unexpected")
    assert len(seen) == 1


def test_t17_an_error(seen: list[str]) -> None:
    """The message of each of our errors may be shown."""
    error = BadUpstream(f"no answer from /upload/{secret(8)}")
    assert "message of BadUpstream" in seen[0]
    assert error.args


def test_t17_an_answer(seen: list[str]) -> None:
    """Body and headers; the Location of a redirect is the client's own."""
    leaks.look_at_answer(302, [("Location", secret(8))], b"")
    assert not seen
    leaks.look_at_answer(201, [("Location", secret(8))], b"")
    leaks.look_at_answer(207, [("ETag", '"x"')], secret(8).encode())
    assert len(seen) == 2


def test_t17_a_command(seen: list[str], config: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command prints."""
    assert run(secret(8)).returncode == 2
    assert seen


def test_t17_what_the_emulator_gives_out_is_marked(place: Place) -> None:
    """Client secret, tokens, codes, and the addresses of downloads, uploads and monitors."""
    entra, world = place.emulator.entra, place.emulator.world
    place.sign_in()
    codes: list[str] = []
    visitor = place.visitor(change=lambda address: codes.append(address) or address)
    place.sign_in(visitor, sign_in="browser")
    given = [place.emulator.client_secret, *world.tokens, *world.refresh_tokens, *codes]
    drive = place.emulator.drive("business")
    given.append(world.download_url(drive.drive, drive.put("/a.txt", b"x")))
    root, whose = f"{place.emulator.graph_url}/drives/{drive.id}/root", {"Authorization": f"Bearer {entra.issue('')}"}
    for action, key in (("/new.txt:/createUploadSession", "uploadUrl"), ("/a.txt:/copy", "Location")):
        url, ca_file = f"{root}:{action}", place.emulator.ca_file
        answer = requests.post(url, json={"name": "b.txt"}, headers=whose, verify=ca_file, timeout=10)
        given.append(answer.headers[key] if key in answer.headers else answer.json()[key])
    assert len(given) >= 8
    assert all(MARK in one for one in given)
    assert entra.devices == {}
