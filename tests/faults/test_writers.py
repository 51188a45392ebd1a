"""Two writers of one path, and uploads that are refused before they are read."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

LARGE = 9_000_000


@pytest.mark.parametrize("size", [3000, LARGE], ids=["one request", "session"])
def test_writers_are_put_in_order(world: World, workers: str, mount: str, size: int) -> None:
    """Each is told that it is done, the file is one of the bodies, whole, and a read shows the same one.

    Two processes serve them, with several threads each.
    """
    drive = world.emulator.drive(MOUNTS[mount])

    def write(number: int) -> int:
        with closing(world.dav(mount, base=workers)) as dav:
            return dav.put("same.bin", bytes([number]) * size).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(write, range(1, 7)))
    assert set(statuses) <= {201, 204}
    stored = drive.read("/same.bin")
    assert stored in [bytes([number]) * size for number in range(1, 7)]
    assert len(drive.versions("/same.bin")) == 5
    with closing(world.dav(mount, base=workers)) as dav:
        assert dav.get("same.bin", check=200).body == stored


def test_if_match_of_two_writers(world: World, workers: str, dav: Dav, mount: str) -> None:
    """Both have seen the same version: one of them is told that it is no longer there."""
    etag = dav.put("a.bin", b"old", check=201).etag

    def write(number: int) -> int:
        with closing(world.dav(mount, base=workers)) as other:
            return other.put("a.bin", bytes([number]) * LARGE, headers={"If-Match": etag}).status

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, (1, 2))) == [204, 412]


def expecting(dav: Dav, path: str, *fields: str) -> bytes:
    """The first line that the server says to a PUT that waits for `100 Continue`."""
    host, _, port = dav.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = [f"PUT {dav.path(path)} HTTP/1.1", f"Host: {dav.host}", f"Authorization: {dav.auth}"]
        connection.sendall("\r\n".join([*head, "Expect: 100-continue", *fields, "", ""]).encode())
        return connection.recv(65536).split(b"\r\n")[0]


CHUNKED = "Transfer-Encoding: chunked"


def test_the_body_is_asked_for_when_it_is_taken(world: World, dav: Dav, mount: str) -> None:
    """`100 Continue` comes for an upload that would be taken."""
    assert expecting(dav, "a.bin", "Content-Length: 10") == b"HTTP/1.1 100 Continue"
    assert expecting(dav, "a.bin", "Content-Length: 10000000") == b"HTTP/1.1 100 Continue"
    assert expecting(dav, "a.bin", CHUNKED) == b"HTTP/1.1 100 Continue"


def test_the_body_is_not_asked_for(world: World, dav: Dav, mount: str) -> None:
    """No byte is sent for nothing: a stale version, a lock, no such folder, a full drive, a part of a file."""
    drive = world.emulator.drive(MOUNTS[mount])
    dav.put("a.bin", b"old", check=201)
    dav.put("locked.bin", b"old", check=201)
    dav.lock("locked.bin", check=200)
    assert b" 412 " in expecting(dav, "a.bin", "Content-Length: 10", "If-None-Match: *")
    assert b" 412 " in expecting(dav, "a.bin", "Content-Length: 10", 'If-Match: "other"')
    assert b" 423 " in expecting(dav, "locked.bin", "Content-Length: 10")
    assert b" 409 " in expecting(dav, "none/a.bin", "Content-Length: 10000000")
    assert b" 400 " in expecting(dav, "a.bin", "Content-Length: 10", "Content-Range: bytes 0-9/20")
    drive.drive.total = drive.drive.used + 1000
    for driver in world.bridge.drivers.values():
        driver.forget()
    assert b" 507 " in expecting(dav, "a.bin", "Content-Length: 10000000")
    assert b" 507 " in expecting(dav, "a.bin", CHUNKED, "X-Expected-Entity-Length: 10000000")
    assert drive.read("/a.bin") == b"old"
    assert drive.open_sessions == 0
    assert list((world.folder / "state" / "spool").iterdir()) == []


def test_a_spool_that_would_be_full(world: World, dav: Dav, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bridge's own disk has no room: 507 before anything is read."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10 * 2**20}))
    assert b" 507 " in expecting(dav, "a.bin", CHUNKED)
    assert b" 507 " in expecting(dav, "a.bin", CHUNKED, "X-Expected-Entity-Length: 30000000")
    assert b" 413 " in expecting(dav, "a.bin", CHUNKED, f"X-Expected-Entity-Length: {11 * 2**30}")
