"""Sending while reading: what is on its way when one side breaks, and that nothing is left behind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from davbridge.body import Body
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.emulator.faults import Action, Garble, LoseAnswer, Status
from davbridge.emulator.httpd import Drop, Request, Response
from davbridge.errors import BadUpstream, PreconditionFailed, QuotaExceeded
from davbridge.graph import fragments
from davbridge.graph.fragments import AHEAD
from davbridge.graph.memory import UNIT
from davbridge.graph.session import SessionGone
from davbridge.graph.tempo import FIRST, SHOWN
from davbridge.graph.uploads import upload
from davbridge.paths import DavPath
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World, eventually

pytestmark = pytest.mark.usefixtures("small_fragments")

LARGE = bytes(range(256)) * 90_000
"""Three fragments: two of 10 MiB, and the rest."""
OLD = b"the old content"


@dataclass(frozen=True)
class Waiting(Action):
    """Do the work once something has happened."""

    event: threading.Event

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        assert self.event.wait(20), "it has not happened"
        return run()


class Source:
    """A client's body, with somebody who is told how far it was read."""

    def __init__(self, data: bytes, at: Callable[[int], None]) -> None:
        self._data = memoryview(data)
        self._at = at
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        part = bytes(self._data[self._position : self._position + size])
        self._position += len(part)
        self._at(self._position)
        return part


@pytest.fixture
def drive(world: World, mount: str):
    """The drive behind the mount, seen from inside, with an old file on it."""
    state = world.emulator.drive(MOUNTS[mount])
    state.put("/a.bin", OLD)
    return state


@pytest.fixture
def driver(world: World, mount: str) -> Iterator[GraphDriver]:
    """The policy's driver, new to the line. Afterwards no upload has memory, and the journal is empty."""
    world.bridge.drivers[mount]._desk.line.last = None
    yield world.bridge.drivers[mount]
    eventually(lambda: world.bridge.drivers[mount]._desk.memory.taken == 0)
    eventually(lambda: not world.bridge.database.read("SELECT * FROM journal"))


def begun(dav: Dav, announced: int, sent: bytes) -> socket.socket:
    """A PUT of which only a part is sent so far."""
    host, _, port = dav.host.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"PUT {dav.path('a.bin')} HTTP/1.1\r\nHost: {dav.host}\r\nAuthorization: {dav.auth}\r\n"
    connection.sendall(f"{head}Content-Length: {announced}\r\n\r\n".encode() + sent)
    return connection


def test_reading_goes_on_while_sending(world: World, driver: GraphDriver, drive) -> None:
    """The service takes its time for the first fragment: it is read to its end meanwhile, and some of the next."""
    read_on = threading.Event()

    def at(position: int) -> None:
        if position >= FIRST + AHEAD:
            read_on.set()

    world.emulator.faults.add("put fragment", Waiting(read_on))
    driver.put(DavPath(("a.bin",)), Body(Source(LARGE, at), len(LARGE)))
    assert drive.read("/a.bin") == LARGE
    assert drive.versions("/a.bin") == [OLD]


def test_sending_begins_while_reading(world: World, driver: GraphDriver, drive) -> None:
    """A client that has shown its speed: the service sees a fragment of which the end has not been read."""
    seen = threading.Event()

    class Seeing(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            seen.set()
            return run()

    def at(position: int) -> None:
        if position > FIRST - UNIT:
            assert seen.wait(10), "the fragment was not begun"

    world.emulator.faults.add("put fragment", Seeing())
    driver.put(DavPath(("a.bin",)), Body(Source(LARGE, at), len(LARGE)))
    assert drive.read("/a.bin") == LARGE


@pytest.mark.parametrize("stop", [SHOWN + 3 * UNIT, len(LARGE) - 1], ids=["first", "last"])
def test_a_client_that_stalls(
    world: World, driver: GraphDriver, drive, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """It stops in the middle of a fragment that was begun: the service is let go, and gets it once it is whole."""
    monkeypatch.setattr(fragments, "_PATIENCE", 0.05)
    let_go = threading.Event()

    class Broken(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            try:
                return run()
            except Drop:
                let_go.set()
                raise

    def at(position: int) -> None:
        if position > stop:
            assert let_go.wait(10), "the service still waits"

    world.emulator.faults.add("put fragment", Broken(), times=9)
    driver.put(DavPath(("a.bin",)), Body(Source(LARGE, at), len(LARGE)))
    world.emulator.faults.clear()
    assert let_go.is_set()
    assert drive.read("/a.bin") == LARGE
    assert drive.versions("/a.bin") == [OLD]


@pytest.mark.parametrize("status", [404, 500, 507])
def test_the_last_fragment_breaks_before_its_end(world: World, driver: GraphDriver, drive, status: int) -> None:
    """Its last part is still held back, so that nobody doubts: it is sent again, or the old content stays."""
    world.emulator.faults.add("put fragment", Status(status, code="x"), nth=3, times=1 if status == 500 else 50)
    body = Body(Source(LARGE, lambda _: None), len(LARGE))
    if status == 500:
        driver.put(DavPath(("a.bin",)), body)
        assert drive.read("/a.bin") == LARGE
    else:
        with pytest.raises(QuotaExceeded if status == 507 else BadUpstream):
            driver.put(DavPath(("a.bin",)), body)
        assert drive.read("/a.bin") == OLD
    world.emulator.faults.clear()
    assert drive.open_sessions == 0


def test_a_session_that_goes_before_the_end(world: World, driver: GraphDriver, drive) -> None:
    """The last part was still held back when it vanished: nothing is stored, and nobody need ask the item (502)."""

    def at(position: int) -> None:
        if position == len(LARGE):
            eventually(lambda: any(call.operation == "get session" for call in world.emulator.calls.list()), 20)

    class Vanishing(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            world.emulator.world.sessions.clear()
            drive.drive.open_sessions.clear()
            raise Drop

    driver.probe()  # which looks at the root, once
    world.emulator.faults.add("put fragment", Vanishing(), nth=3)
    with world.emulator.calls.counting() as calls, pytest.raises(SessionGone):
        driver.put(DavPath(("a.bin",)), Body(Source(LARGE, at), len(LARGE)))
    assert "get item" not in calls.operations
    assert drive.read("/a.bin") == OLD


def test_nothing_is_committed_before_the_last_look(world: World, driver: GraphDriver, drive) -> None:
    """It is taken when the service has all fragments but the last one, which it never gets whole after a bad one."""
    seen = []

    def look() -> None:
        seen.extend(session.received for session in world.emulator.world.sessions.values())
        raise PreconditionFailed("it has changed")

    tree = driver._tree
    where = tree.folder(DavPath(())).child("a.bin")
    body = Body(Source(LARGE, lambda _: None), len(LARGE))
    with pytest.raises(PreconditionFailed):
        upload(tree.graph, where, body, tree.desk, before_commit=look)
    assert seen == [2 * FIRST]
    assert drive.read("/a.bin") == OLD
    assert drive.open_sessions == 0


def test_the_next_upload_begins_with_more(
    world: World, driver: GraphDriver, drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line was quick a moment ago: the whole file goes in one fragment."""
    monkeypatch.undo()
    driver._desk.line.last = (world.clock.monotonic(), FIRST, 0.1)
    with world.emulator.calls.counting() as calls:
        driver.put(DavPath(("a.bin",)), Body(Source(LARGE, lambda _: None), len(LARGE)))
    assert calls.upload == 1
    assert drive.read("/a.bin") == LARGE


def test_no_more_than_a_fragment_and_what_is_ahead(world: World, driver: GraphDriver, drive) -> None:
    """However long the service takes."""
    memory, seen = driver._desk.memory, []

    class Counting(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            time.sleep(0.2)
            seen.append(memory.taken)
            return run()

    world.emulator.faults.add("put fragment", Counting(), times=3)
    driver.put(DavPath(("a.bin",)), Body(Source(LARGE, lambda _: None), len(LARGE)))
    assert seen[0] == FIRST + AHEAD
    assert max(seen) <= FIRST + AHEAD


def test_a_slow_client_is_told_soon(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """The service refuses the first fragment while the client sends the second: it need not send all of it."""
    world.emulator.faults.add("put fragment", Status(507, code="quotaLimitReached"))
    with begun(dav, len(LARGE), LARGE[: FIRST + UNIT]) as connection:
        time.sleep(0.5)
        connection.sendall(LARGE[FIRST + UNIT : FIRST + 2 * UNIT])
        assert connection.recv(65536).startswith(b"HTTP/1.1 507 ")
    assert drive.read("/a.bin") == OLD
    assert drive.open_sessions == 0


def test_a_client_that_goes_while_a_fragment_is_sent(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """It is noticed at once, and the session is cancelled when the service has answered."""
    gone = threading.Event()
    world.emulator.faults.add("put fragment", Waiting(gone))
    with begun(dav, len(LARGE), LARGE[: FIRST + UNIT]):
        eventually(lambda: drive.open_sessions == 1)
    gone.set()
    eventually(lambda: drive.open_sessions == 0)
    assert drive.read("/a.bin") == OLD
    eventually(lambda: driver._desk.memory.taken == 0)


def test_threads_are_used_again(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """However many uploads there were, one after the other, also broken ones."""
    before = threading.active_count()
    for _ in range(3):
        dav.put("a.bin", LARGE, check=204)
        world.emulator.faults.add("put fragment", Status(413, code="x"), nth=2)
        dav.put("a.bin", LARGE, check=413)
        dav.close()
    assert threading.active_count() <= before + 4


def test_a_session_that_is_unknown_from_the_start(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """A new one takes its place, though the client sends nothing twice (F22)."""
    world.emulator.faults.add("put fragment", Status(404, code="itemNotFound"), times=2)
    dav.put("a.bin", LARGE, check=204)
    assert drive.read("/a.bin") == LARGE
    assert drive.open_sessions == 0


def test_a_session_that_vanishes(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """Bytes that were streamed cannot be had again: 502, and the old content stays. From the spool they can."""
    world.emulator.faults.add("put fragment", Status(404, code="itemNotFound"), nth=2)
    dav.put("a.bin", LARGE, check=502)
    assert drive.read("/a.bin") == OLD
    assert drive.open_sessions == 0
    world.emulator.faults.add("put fragment", Status(410, code="itemNotFound"), nth=2)
    dav.put("a.bin", iter([LARGE]), check=204)
    assert drive.read("/a.bin") == LARGE
    assert drive.versions("/a.bin") == [OLD]


@pytest.mark.parametrize("spooled", [False, True], ids=["streamed", "spooled"])
def test_other_bytes_are_stored(world: World, dav: Dav, driver: GraphDriver, drive, *, spooled: bool) -> None:
    """The hash tells: what can be sent again is; else the client hears of it, and nothing is deleted."""
    world.emulator.faults.add("put fragment", Garble(), nth=2)
    with world.emulator.calls.counting() as calls:
        dav.put("a.bin", iter([LARGE]) if spooled else LARGE, check=204 if spooled else 502)
    assert "delete item" not in calls.operations
    assert (drive.read("/a.bin") == LARGE) is spooled
    assert drive.versions("/a.bin")[-1] == OLD
    assert dav.get("a.bin", check=200).body == drive.read("/a.bin")


def test_other_bytes_of_a_small_file_are_stored(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """A small body is held, and sent again: once."""
    world.emulator.faults.add("put content", Garble())
    dav.put("a.bin", b"small", check=204)
    assert drive.read("/a.bin") == b"small"
    world.emulator.faults.add("put content", Garble(), times=2)
    dav.put("a.bin", b"other", check=502)
    world.emulator.faults.add("put content", Garble())
    world.forget()
    dav.put("new.bin", b"fresh", check=(201, 204))
    assert drive.read("/new.bin") == b"fresh"


def test_a_lost_answer_is_compared(world: World, dav: Dav, driver: GraphDriver, drive) -> None:
    """The last answer is lost, and the service has stored other bytes: nobody can say that it is done."""
    world.emulator.faults.add("put fragment", Garble(), nth=2)
    world.emulator.faults.add("put fragment", LoseAnswer(), nth=3)
    dav.put("a.bin", LARGE, check=504)
    world.bridge.settle()


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "deleted"])
def test_a_version_that_is_lost_while_sending(
    world: World, dav: Dav, driver: GraphDriver, drive, *, gone: bool
) -> None:
    """Somebody changes the file while an upload bound to its version is under way: 412, and theirs stays."""
    etag = dav.get("a.bin", check=200).etag

    class Changing(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            drive.delete("/a.bin") if gone else drive.put("/a.bin", b"theirs")
            world.clock.sleep(5)
            return run()

    world.emulator.faults.add("put fragment", Changing(), nth=2)
    dav.put("a.bin", LARGE, headers={"If-Match": etag}, check=412)
    assert not drive.exists("/a.bin") if gone else drive.read("/a.bin") == b"theirs"
    assert drive.open_sessions == 0
    assert world.emulator.faults.pending == 0
    if not gone:
        etag = dav.get("a.bin", check=200).etag
        dav.put("a.bin", LARGE, headers={"If-Match": etag}, check=204)
        assert drive.read("/a.bin") == LARGE
