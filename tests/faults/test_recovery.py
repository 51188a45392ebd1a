"""What a process has left half done is brought to an end by the next that looks; without killing any."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from davbridge.drivers.recovery import Recovery
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Html
from davbridge.redact import Secret
from davbridge.store.journal import OpenSession, SetAside
from tests.support.dav import Dav
from tests.support.serving import serving, write_configuration
from tests.support.world import MOUNTS, World, eventually

LARGE = bytes(9_000_000)
OLD = b"the old content"


@pytest.fixture
def drive(world: World, mount: str):
    """The drive behind the mount, with a file and two folders on it."""
    state = world.emulator.drive(MOUNTS[mount])
    state.put("/a.bin", OLD)
    state.put("/source/b", b"new")
    state.put("/target/b", OLD)
    return state


def journal(world: World) -> list[object]:
    """What nobody works at."""
    return [entry.work for entry in world.bridge.recovery._journal.left()]


def test_a_session_that_could_not_be_cancelled(world: World, dav: Dav, drive) -> None:
    """The service fails, also for the DELETE: it is cancelled when the service is back, and the file is free again."""
    world.emulator.faults.add("put fragment", Html(500), times=50)
    world.emulator.faults.add("delete session", Html(500), times=50)
    assert dav.put("a.bin", LARGE).status in (502, 503, 504)
    assert drive.open_sessions == 1
    world.bridge.settle()
    assert drive.open_sessions == 1, "the service still fails"
    world.emulator.faults.clear()
    world.clock.sleep(10)
    world.bridge.settle()
    assert drive.open_sessions == 0
    assert journal(world) == []
    dav.put("a.bin", LARGE, check=204)


def orphan(world: World, mount: str, path: tuple[str, ...], size: int) -> str:
    """A session that nobody of this bridge goes on with: its URL."""
    driver = world.bridge.drivers[mount]
    tree = driver._open()[1]
    url = f"/drives/{tree.root.drive_id}/items/{tree.root.item_id}:/{'/'.join(path)}:/createUploadSession"
    reply = tree.graph.call("POST", url, body={"item": {"@microsoft.graph.conflictBehavior": "replace"}})
    work = OpenSession(Secret(reply.json()["uploadUrl"]), tree.root.drive_id, tree.root.item_id, path, size, 0.0)
    mine = driver._desk.journal
    mine.leave(mine.begin(work))
    return str(reply.json()["uploadUrl"])


def test_a_session_that_was_committed(
    world: World, dav: Dav, mount: str, drive, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody heard of the commit: it is looked at, said, and shown; the URL is nowhere in the log."""
    caplog.set_level("DEBUG")
    dav.propfind(depth=1, check=207)
    url = orphan(world, mount, ("new.bin",), 5)
    graph = world.bridge.drivers[mount]._graph
    graph.direct("PUT", Secret(url), headers={"Content-Range": "bytes 0-4/5"}, data=b"bytes")
    world.bridge.settle()
    assert "the upload of 'new.bin' was over when nobody listened: it is stored" in caplog.text
    said = [record.getMessage() for record in caplog.records if record.name.startswith("davbridge")]
    assert url.rpartition("/")[2] not in "".join(said)
    assert journal(world) == []
    assert dav.get("new.bin", check=200).body == b"bytes"


def set_aside(world: World, mount: str, drive, how: str) -> None:
    """As far as a MOVE or COPY of /source onto /target has come when the process dies."""
    driver = world.bridge.drivers[mount]
    target, source = drive.item("/target"), drive.item("/source")
    mine = driver._desk.journal
    aside = "davbridge-replaced-0123"
    work = SetAside(drive.id, target.parent_id, target.id, "target", aside, drive.id, source.id, how)
    mine.leave(mine.begin(work))
    drive.move("/target", f"/{aside}")


def names(drive) -> set[str]:
    """What lies in the drive's root."""
    return {path.split("/")[1] for path in drive.tree()}


@pytest.mark.parametrize("how", ["move", "copy", "shallow"])
def test_what_was_set_aside_goes_back(world: World, mount: str, drive, how: str) -> None:
    """Nothing has come in its place: it has its name again."""
    set_aside(world, mount, drive, how)
    world.bridge.settle()
    assert names(drive) == {"a.bin", "source", "target"}
    assert drive.read("/target/b") == OLD
    assert journal(world) == []


def test_what_was_replaced_goes(world: World, mount: str, drive) -> None:
    """What was to come is there: the one before goes to the recycle bin."""
    set_aside(world, mount, drive, "move")
    drive.move("/source", "/target")
    world.bridge.settle()
    assert names(drive) == {"a.bin", "target"}
    assert drive.read("/target/b") == b"new"
    assert journal(world) == []


def test_a_copy_that_is_not_whole_yet(world: World, mount: str, drive) -> None:
    """Microsoft goes on copying though we died: the one before is kept until all is there."""
    drive.put("/source/deep/c", b"more")
    set_aside(world, mount, drive, "copy")
    drive.put("/target/b", b"new")
    world.bridge.settle()
    assert "davbridge-replaced-0123" in names(drive)
    drive.put("/target/deep/c", b"more")
    world.clock.sleep(10)
    world.bridge.settle()
    assert names(drive) == {"a.bin", "source", "target"}
    assert drive.read("/target/deep/c") == b"more"


def test_a_copy_without_members(world: World, mount: str, drive) -> None:
    """A Depth: 0 copy makes an empty folder: one with something in it may be anybody's, and nothing is deleted."""
    set_aside(world, mount, drive, "shallow")
    drive.put("/target/theirs", b"x")
    world.bridge.settle()
    assert "davbridge-replaced-0123" in names(drive)
    drive.delete("/target/theirs")
    world.clock.sleep(10)
    world.bridge.settle()
    assert names(drive) == {"a.bin", "source", "target"}


def test_somebody_else_has_taken_the_name(world: World, mount: str, drive, caplog: pytest.LogCaptureFixture) -> None:
    """Neither is deleted: a person must choose, and is told the names."""
    set_aside(world, mount, drive, "move")
    drive.put("/target/other", b"theirs")
    world.bridge.settle()
    assert {"target", "davbridge-replaced-0123"} <= names(drive)
    assert "davbridge-replaced-0123" in caplog.text
    assert journal(world) == []


def test_a_policy_that_is_no_more(world: World, mount: str, drive, tmp_path: Path) -> None:
    """Its sessions are forgotten when they have expired, and nothing else is touched."""
    orphan(world, mount, ("a.bin",), 5)
    recovery = Recovery(world.bridge.recovery._journal, {}, world.clock)
    recovery.look()
    assert journal(world) == []
    assert drive.open_sessions == 1


def test_a_replaced_item_that_cannot_be_deleted(world: World, dav: Dav, drive) -> None:
    """The MOVE is done, and the client is told so; what it has replaced goes later."""
    world.emulator.faults.add("delete item", Html(500), times=50)
    dav.move("source", "target", check=204)
    assert drive.read("/target/b") == b"new"
    world.emulator.faults.clear()
    world.bridge.settle()
    assert names(drive) == {"a.bin", "target"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the workers that are killed."""
    with Emulator.start() as running:
        yield running


def test_a_killed_worker(emulator: Emulator, tmp_path: Path) -> None:
    """Another worker cancels what it has left, within a minute, and goes on with its own uploads."""
    drive = emulator.drive("business")
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2)
    with serving(config) as running:
        uploads: list[socket.socket] = []
        for number in range(12):
            with closing(running.dav()) as dav:
                host, _, port = dav.host.partition(":")
                connection = socket.create_connection((host, int(port)), timeout=60)
                head = f"PUT {dav.path(f'{number}.bin')} HTTP/1.1\r\nHost: {dav.host}\r\nAuthorization: {dav.auth}\r\n"
                connection.sendall(f"{head}Content-Length: {len(LARGE)}\r\n\r\n".encode() + LARGE[:6_000_000])
                uploads.append(connection)
        eventually(lambda: drive.open_sessions == len(uploads), 60)
        killed = running.workers()[0]
        os.kill(killed, signal.SIGKILL)
        alive = []
        for number, connection in enumerate(uploads):
            try:
                connection.sendall(LARGE[6_000_000:])
                if connection.recv(65536).startswith(b"HTTP/1.1 201"):
                    alive.append(number)
            except ConnectionError:
                pass
            connection.close()
        assert 0 < len(alive) < len(uploads), "the kernel has spread the connections over both"
        eventually(lambda: drive.open_sessions == 0, 60)
        assert all(drive.read(f"/{number}.bin") == LARGE for number in alive)
        assert {path for path in drive.tree() if path.endswith(".bin")} == {f"/{number}.bin" for number in alive}
