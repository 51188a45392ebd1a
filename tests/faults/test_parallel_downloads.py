"""Downloads over several connections: the same truth as over one, whatever happens to one of them."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Callable

import pytest

from davbridge.emulator.faults import Action, Html, Reset, Status, Truncate
from davbridge.emulator.httpd import Request, Response
from tests.support.dav import Dav
from tests.support.world import MOUNTS, USERS, World, eventually

CONTENT = b"".join(number.to_bytes(8, "big") for number in range(5 << 20))
"""40 MiB, no two blocks alike."""
PARTS = 3
"""The request for a part of which there is a fault: the first one is for the whole file, others are under way."""


@pytest.fixture
def stored(world: World, mount: str) -> bytes:
    """`/a.bin` on the drive, behind a line on which a connection is slow."""
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT)
    world.emulator.line.set(0.02, 3e7)
    return CONTENT


class Before(Action):
    """Something happens before a request is answered."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        self._act()
        return run()


def test_several_connections(world: World, dav: Dav, stored: bytes) -> None:
    """The bytes come in order; none of the requests for them is a Graph call, and all memory is given back."""
    dav.propfind("a.bin", depth=0, check=207)
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.bin", check=200).body == stored
    assert calls.download > 3
    assert calls.graph <= 1
    assert world.bridge.ground.ahead.taken == 0


def test_a_long_range(world: World, dav: Dav, stored: bytes) -> None:
    """So is a long range, and not a byte beyond it."""
    answer = dav.get("a.bin", headers={"Range": "bytes=1000001-36000007"}, check=206)
    assert answer.body == stored[1000001:36000008]


def test_a_short_range(world: World, dav: Dav, stored: bytes) -> None:
    """A short one is one request."""
    dav.propfind("a.bin", depth=0, check=207)
    with world.emulator.calls.counting() as calls:
        answer = dav.get("a.bin", headers={"Range": "bytes=5000000-9000000"}, check=206)
    assert answer.body == stored[5000000:9000001]
    assert calls.download == 1


@pytest.mark.parametrize("fault", [Reset(after=300_000), Truncate(after=300_000), Reset(after=0)], ids=repr)
def test_a_break_in_a_part(world: World, dav: Dav, stored: bytes, fault: Action) -> None:
    """It is mended by itself."""
    world.emulator.faults.add("download", fault, nth=PARTS, times=2)
    assert dav.get("a.bin", check=200).body == stored
    assert world.emulator.faults.pending == 0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_address_that_dies(world: World, dav: Dav, stored: bytes, status: int) -> None:
    """One thread asks for a new one, and all go on with it."""
    world.emulator.faults.add("download", Status(status), nth=PARTS)
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.bin", check=200).body == stored
    assert calls.operations.count("get item") == 2
    assert world.emulator.faults.pending == 0


def test_another_version(world: World, dav: Dav, stored: bytes, mount: str) -> None:
    """Two versions are never mixed: the connection is cut within the first one."""
    drive = world.emulator.drive(MOUNTS[mount])
    world.emulator.faults.add("download", Before(lambda: drive.put("/a.bin", bytes(len(CONTENT)))), nth=PARTS)
    with pytest.raises(http.client.IncompleteRead) as broken:
        dav.get("a.bin")
    assert stored.startswith(broken.value.partial)
    assert world.bridge.ground.ahead.taken == 0


def test_a_service_that_does_not_bear_it(world: World, dav: Dav, stored: bytes) -> None:
    """When parts fail for good, the rest is asked for by one request."""
    world.emulator.faults.add("download", Status(503), nth=PARTS, times=6)
    assert dav.get("a.bin", check=200).body == stored


def test_a_service_that_is_gone(world: World, dav: Dav, stored: bytes) -> None:
    """The connection is cut; it never ends as if all were there."""
    world.emulator.faults.add("download", Html(500), nth=PARTS, times=1000)
    with pytest.raises(http.client.IncompleteRead) as broken:
        dav.get("a.bin")
    assert stored.startswith(broken.value.partial)
    world.emulator.faults.clear()
    assert world.bridge.ground.ahead.taken == 0


def test_a_service_that_stops_serving_ranges(world: World, dav: Dav, stored: bytes) -> None:
    """The whole file in answer to each part is no reason to fail."""
    world.emulator.quirks.range_ignored = True
    assert dav.get("a.bin", check=200).body == stored


def test_a_client_that_goes_away(world: World, mount: str, stored: bytes) -> None:
    """Memory, threads and connections to Microsoft are free at once."""
    login = base64.b64encode(f"alice:{USERS['alice']}".encode()).decode()
    host, port = world.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET /{mount}/a.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n".encode())
        while world.bridge.ground.ahead.taken == 0:
            assert client.recv(1 << 16)
    eventually(lambda: world.bridge.ground.ahead.taken == 0)
