"""Writes whose answer is lost in less common ways: told as what happened, or as unknown, never as the opposite."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.protocol import Times
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Action, LoseAnswer, Reset, Status, WorkThen
from davbridge.emulator.httpd import Request, Response
from davbridge.errors import Locked, PreconditionFailed, UnknownOutcome
from tests.contract.places import driver_of, graph_of, names, p, put

LARGE = random.Random(1).randbytes(5_000_000)


@dataclass(frozen=True)
class Meanwhile(Action):
    """Something happens while the request is on its way, then `action`, or the usual."""

    happens: Callable[[], object]
    action: Action | None = None

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        self.happens()
        return self.action.apply(request, run) if self.action else run()


@dataclass(frozen=True)
class Garbled(Action):
    """Do the work, and answer it with a page that is no JSON."""

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        return Response(run().status, {"Content-Type": "text/html"}, b"<html>")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still, so that retries do not wait."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def driver(emulator: Emulator, clock: ManualClock) -> Iterator[GraphDriver]:
    """A driver for a SharePoint library, with time in the test's hand."""
    with graph_of(emulator, clock) as graph:
        yield driver_of("sharepoint", emulator, graph)
    assert emulator.faults.pending == 0
    assert emulator.calls.leaks == []


def test_session_that_was_lost_uncommitted(driver: GraphDriver, emulator: Emulator) -> None:
    """A session that is gone with all bytes need not have been committed: an old file of that size is no success."""
    old = LARGE[::-1]
    put(driver, "/a.bin", old)
    drive = emulator.drive("documents")

    def lose() -> None:
        emulator.world.sessions.clear()
        drive.drive.open_sessions.clear()

    emulator.faults.add("put fragment", Meanwhile(lose, Reset(after=len(LARGE))))
    with pytest.raises(UnknownOutcome):
        put(driver, "/a.bin", LARGE)
    assert drive.read("/a.bin") == old


def test_session_that_does_not_answer_after_its_commit(driver: GraphDriver, emulator: Emulator) -> None:
    """The last answer is lost and the session's status, too; when the session is found gone, the item tells."""
    emulator.faults.add("put fragment", LoseAnswer())
    emulator.faults.add("get session", Status(500), times=5)
    put(driver, "/a.bin", LARGE)
    assert emulator.drive("documents").read("/a.bin") == LARGE


def test_session_whose_commit_takes_its_time(driver: GraphDriver, emulator: Emulator) -> None:
    """A session that has all bytes and is not committed yet is waited for, not given up."""
    world = emulator.world

    class Later(Action):
        def apply(self, request: Request, run: Callable[[], Response]) -> Response:
            for session in world.sessions.values():
                session.defer = True
            run()
            return Response(504, {}, b"")

    def commit() -> None:
        for token, session in list(world.sessions.items()):
            if session.complete:
                session.drive.store(session.drive.root, session.name, session.draft.finish(session.total), "replace")
                world.end_session(token)

    put(driver, "/a.bin", LARGE[::-1])
    emulator.faults.add("put fragment", Later())
    emulator.faults.add("get session", Meanwhile(commit), nth=3)
    put(driver, "/a.bin", LARGE)
    assert emulator.drive("documents").read("/a.bin") == LARGE


def test_session_whose_last_answer_is_garbled(driver: GraphDriver, emulator: Emulator) -> None:
    """A success that cannot be read is looked up."""
    emulator.faults.add("put fragment", Garbled())
    assert put(driver, "/a.bin", LARGE).item.size == len(LARGE)


def test_session_and_nothing_to_read_back(driver: GraphDriver, emulator: Emulator) -> None:
    """When neither session nor item can be read, the outcome is unknown: no 502, which would mean a failure."""
    put(driver, "/a.bin")
    emulator.faults.add("put fragment", LoseAnswer())
    emulator.faults.add("get item", Status(502), times=5)
    with pytest.raises(UnknownOutcome):
        put(driver, "/a.bin", LARGE)


@pytest.mark.parametrize("fault", [LoseAnswer(), WorkThen(504), Garbled(), Reset(after=10)], ids=repr)
def test_setting_aside_whose_answer_is_lost(driver: GraphDriver, emulator: Emulator, fault: Action) -> None:
    """A folder that is to be replaced is never left under the name that it was set aside with."""
    drive = emulator.drive("documents")
    drive.put("/new/n.txt", b"n")
    drive.put("/old/o.txt", b"o")
    names(driver, "/")
    emulator.faults.add("update item", fault)
    driver.move(p("/new"), p("/old"), replace=True)
    assert drive.tree() == {"/old": None, "/old/n.txt": b"n"}


@pytest.mark.parametrize("fault", [LoseAnswer(), Reset()], ids=repr)
def test_safe_save_whose_deletion_is_lost(driver: GraphDriver, emulator: Emulator, fault: Action) -> None:
    """The temporary file is deleted again, and the save told as done."""
    put(driver, "/a.txt", b"old")
    put(driver, "/a.tmp", b"new")
    emulator.faults.add("delete item", fault)
    driver.move(p("/a.tmp"), p("/a.txt"), replace=True)
    assert emulator.drive("documents").tree() == {"/a.txt": b"new"}


def test_folder_of_which_nothing_arrived(driver: GraphDriver, emulator: Emulator) -> None:
    """A folder that is not there after a lost answer is made by a second try; a 404 would be no answer to MKCOL."""
    emulator.faults.add("create folder", Reset(after=10))
    driver.make_folder(p("/d"))
    assert names(driver, "/") == {"d"}


@pytest.mark.parametrize("operation", ["put content", "update item", "create folder"])
def test_answer_that_is_garbled(driver: GraphDriver, emulator: Emulator, operation: str) -> None:
    """A success that cannot be read is looked up, not told as a failure."""
    put(driver, "/a.txt", b"one")
    names(driver, "/")
    emulator.faults.add(operation, Garbled())
    _write(driver, operation)


@pytest.mark.parametrize("operation", ["put content", "update item", "create folder"])
def test_nothing_to_read_back(driver: GraphDriver, emulator: Emulator, operation: str) -> None:
    """When the answer is lost and nothing can be read back, the outcome is unknown: no 502, no 503."""
    put(driver, "/a.txt", b"one")
    names(driver, "/")
    emulator.faults.add(operation, LoseAnswer())
    emulator.faults.add("get item", Status(502), times=5)
    with pytest.raises(UnknownOutcome):
        _write(driver, operation)


def _write(driver: GraphDriver, operation: str) -> None:
    if operation == "put content":
        put(driver, "/a.txt", b"two")
    elif operation == "update item":
        driver.move(p("/a.txt"), p("/b.txt"), replace=False)
    else:
        driver.make_folder(p("/d"))


@pytest.mark.parametrize("status", [404, 502])
def test_copy_whose_monitor_is_lost(driver: GraphDriver, emulator: Emulator, status: int) -> None:
    """A copy that cannot be watched any more is looked for; its source is not told as missing."""
    put(driver, "/a.txt")
    emulator.faults.add("monitor", Status(status), times=1 if status == 404 else 5)
    assert driver.copy(p("/a.txt"), p("/b.txt"), replace=False).created
    assert names(driver, "/") == {"a.txt", "b.txt"}


def test_copy_of_a_tree_whose_monitor_is_lost(driver: GraphDriver, emulator: Emulator) -> None:
    """Of a tree nobody can tell whether it is complete: unknown, and never 404."""
    emulator.drive("documents").put("/d/a.txt", b"x")
    emulator.faults.add("monitor", Status(404))
    with pytest.raises(UnknownOutcome):
        driver.copy(p("/d"), p("/e"), replace=False)


def test_copy_that_never_ends(driver: GraphDriver, emulator: Emulator, clock: ManualClock) -> None:
    """A monitor that tells the same for ten minutes does not hold a worker for ever."""
    put(driver, "/a.txt")
    emulator.quirks.copy_seconds = 1e9
    began = clock.monotonic()
    emulator.faults.add("monitor", Status(404), nth=400)  # ends the test where nothing else does
    with pytest.raises(UnknownOutcome):
        driver.copy(p("/a.txt"), p("/b.txt"), replace=False)
    emulator.faults.clear()
    assert clock.monotonic() - began < 700


def test_conditional_deletion_of_what_is_replaced_meanwhile(driver: GraphDriver, emulator: Emulator) -> None:
    """A file that takes the place of the one that If-Match names is not deleted."""
    etag = put(driver, "/a.txt", b"mine").item.etag
    drive = emulator.drive("documents")

    def replace() -> None:
        drive.delete("/a.txt")
        drive.put("/a.txt", b"theirs")

    emulator.faults.add("delete item", Meanwhile(replace))
    with pytest.raises(PreconditionFailed):
        driver.delete(p("/a.txt"), if_match=etag)
    assert drive.read("/a.txt") == b"theirs"


@pytest.mark.parametrize("fault", [LoseAnswer(), Reset(after=3), WorkThen(504)], ids=repr)
def test_empty_file_whose_times_are_lost(driver: GraphDriver, emulator: Emulator, fault: Action) -> None:
    """The times of an empty file come with a second call, which may be repeated."""
    when = datetime(2020, 1, 1, tzinfo=UTC)
    emulator.faults.add("update item", fault)
    assert put(driver, "/a.txt", b"", times=Times(when)).item.modified == when


def test_empty_file_whose_times_are_refused(driver: GraphDriver, emulator: Emulator) -> None:
    """The PUT fails, and the file that it has made is shown."""
    names(driver, "/")
    emulator.faults.add("update item", Status(423, code="resourceLocked"))
    with pytest.raises(Locked):
        put(driver, "/a.txt", b"", times=Times(datetime(2020, 1, 1, tzinfo=UTC)))
    assert names(driver, "/") == {"a.txt"}
