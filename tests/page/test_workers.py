"""The page over two worker processes: it does not matter which of them answers."""

from __future__ import annotations

import http.client
import os
import re
import signal
from collections.abc import Iterator

import pytest

from davbridge.emulator import Emulator
from tests.page.test_signing_in import begin, code_on
from tests.support.serving import Serving, serving
from tests.support.site import Browser, write_site
from tests.support.world import eventually

VIEWS = 24
UPLOADS = 12
"""So many that either worker has some, since whoever has time takes the next one."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        yield running


@pytest.fixture(scope="module")
def served(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two workers; nobody has signed in to the account."""
    with serving(write_site(emulator, tmp_path_factory.mktemp("workers"), 2)) as running:
        assert running.address, running.log
        yield running


@pytest.fixture
def browser(served: Serving) -> Browser:
    """Each request of it is a connection of its own, which the kernel gives to either worker."""
    browser = Browser(f"http://{served.address}")
    assert browser.log_in().status == 303
    return browser


def everywhere(browser: Browser, place: str) -> list[str]:
    """Views enough for both workers to have answered."""
    pages = [browser.get(place) for _ in range(VIEWS)]
    assert {page.status for page in pages} == {200}
    return [page.text for page in pages]


def test_sign_in_at_any_worker(emulator: Emulator, served: Serving, browser: Browser) -> None:
    """Session, code, progress and the end are the same at both; afterwards both serve."""
    emulator.drive("business").put("/Welcome.txt", b"Hello")
    emulator.entra.auto_approve = False
    assert all("Not signed in yet" in page for page in everywhere(browser, ""))
    code = code_on(begin(browser))
    assert len(code) == 8
    assert all(code in page for page in everywhere(browser, "sign-in?account=contoso"))
    assert all("Waiting for you" in page for page in everywhere(browser, "progress?account=contoso"))
    for device in emulator.entra.devices.values():
        device.state = "approved"
    eventually(lambda: "Signed in as" in browser.get("progress?account=contoso").text, 15)
    assert all("Signed in as" in page for page in everywhere(browser, "progress?account=contoso"))
    assert all("All is well" in page for page in everywhere(browser, ""))

    def both_serve() -> bool:
        dav = served.dav()
        assert dav.get("Welcome.txt").body == b"Hello"
        dav.close()
        return served.answered("GET") == {"1", "2"}

    eventually(both_serve, 20)


def test_a_session_ends_at_all(browser: Browser) -> None:
    """Signing out at one worker is signing out at the other."""
    token = browser.get("").token
    cookies = dict(browser.cookies)
    browser.post("logout", token=token)
    browser.cookies = cookies
    assert {browser.get("").status for _ in range(VIEWS)} == {303}


def test_transfers_of_all_workers(served: Serving, browser: Browser) -> None:
    """Uploads that both take at once are on every view, and gone when they are."""
    connections = []
    for number in range(UPLOADS):
        connection = http.client.HTTPConnection(served.address)
        connection.putrequest("PUT", f"/me/Film{number}.mov")
        connection.putheader("Authorization", "Basic YWxpY2U6c2VjcmV0")
        connection.putheader("Content-Length", str(2**21))
        connection.endheaders()
        connection.send(bytes(2**20))
        connections.append(connection)
    names = {f"Film{number}.mov" for number in range(UPLOADS)}

    def shown() -> list[set[str]]:
        return [set(re.findall(r"Film\d+\.mov", page)) for page in everywhere(browser, "")]

    eventually(lambda: all(found == names for found in shown()), 20)
    for connection in connections:
        connection.send(bytes(2**20))
        assert connection.getresponse().status == 201
        connection.close()
    eventually(lambda: not any(shown()), 20)


def test_a_transfer_of_a_killed_worker_fades(served: Serving, browser: Browser) -> None:
    """Nobody takes it back; after some seconds it is no longer shown."""
    connection = http.client.HTTPConnection(served.address)
    connection.putrequest("PUT", "/me/Lost.mov")
    connection.putheader("Authorization", "Basic YWxpY2U6c2VjcmV0")
    connection.putheader("Content-Length", str(2**21))
    connection.endheaders()
    connection.send(bytes(2**20))
    eventually(lambda: "Lost.mov" in browser.get("").text, 10)
    for pid in served.workers():
        os.kill(pid, signal.SIGKILL)

    def gone() -> bool:
        try:
            return "Lost.mov" not in browser.get("").text
        except OSError:
            return False  # no worker is back yet

    eventually(gone, 40)
    connection.close()
