"""A PUT into a folder of which the driver knows nothing: one call, and still no folder that nobody asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from davbridge.body import Body
from davbridge.clock import ManualClock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.protocol import Times
from davbridge.emulator import Emulator
from davbridge.emulator.emulator import DriveState
from davbridge.emulator.faults import Html, LoseAnswer, Status, WorkThen
from davbridge.errors import Busy, ParentNotFound, PreconditionFailed, UnknownOutcome, Unsupported
from tests.contract.places import DRIVES, driver_of, graph_of, p, put, read

MIB = 2**20
TREE = {"/d": None, "/d/e": None, "/d/e/a.txt": b"old"}
SIZES = {"one request": 10, "a session": 3 * MIB}


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still, so that retries do not wait."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture(params=DRIVES)
def driver(request: pytest.FixtureRequest, emulator: Emulator, clock: ManualClock) -> Iterator[GraphDriver]:
    """A driver that knows its root only; `/d/e` holds a file."""
    emulator.drive(DRIVES[request.param]).put("/d/e/a.txt", b"old")
    with graph_of(emulator, clock) as graph:
        yield driver_of(request.param, emulator, graph)
    assert emulator.faults.pending == 0
    assert emulator.calls.leaks == []


@pytest.fixture
def drive(driver: GraphDriver, emulator: Emulator) -> DriveState:
    """The emulator's side of the driver's drive."""
    found = [emulator.drive(name) for name in DRIVES.values()]
    return next(one for one in found if one.exists("/d/e/a.txt"))


@pytest.mark.parametrize("size", SIZES)
def test_missing_folder(driver: GraphDriver, emulator: Emulator, drive: DriveState, size: str) -> None:
    """A missing folder is told, and not made."""
    with pytest.raises(ParentNotFound):
        put(driver, "/d/none/a.txt", bytes(SIZES[size]))
    assert drive.tree() == TREE


@pytest.mark.parametrize("size", SIZES)
def test_file_for_a_folder(driver: GraphDriver, emulator: Emulator, drive: DriveState, size: str) -> None:
    """A file in the place of the folder is told as a missing folder, and keeps its content."""
    with pytest.raises(ParentNotFound):
        put(driver, "/d/e/a.txt/b.txt", bytes(SIZES[size]))
    assert drive.tree() == TREE


@pytest.mark.parametrize("size", SIZES)
def test_created_or_not(driver: GraphDriver, emulator: Emulator, size: str) -> None:
    """One batch; what was there counts as replaced, and what was not as created."""
    with emulator.calls.counting() as calls:
        assert not put(driver, "/d/e/a.txt", bytes(SIZES[size])).created
    assert calls.operations[0] == "batch"
    assert calls.graph == 1
    driver.forget()
    assert put(driver, "/d/e/b.txt", bytes(SIZES[size])).created
    assert len(read(driver, "/d/e/b.txt")) == SIZES[size]


def test_folder_is_known_afterwards(driver: GraphDriver, emulator: Emulator) -> None:
    """The second PUT needs no batch, and a write below an unknown folder has made it known."""
    put(driver, "/d/e/b.txt")
    with emulator.calls.counting() as calls:
        put(driver, "/d/e/c.txt")
    assert calls.operations == ["put content"]


def test_if_absent(driver: GraphDriver) -> None:
    """If-None-Match: * holds inside the batch."""
    with pytest.raises(PreconditionFailed):
        put(driver, "/d/e/a.txt", b"new", if_absent=True)
    assert read(driver, "/d/e/a.txt") == b"old"


def test_if_match(driver: GraphDriver, emulator: Emulator) -> None:
    """A bound write looks at the file first, and so knows its folder: two calls."""
    etag = driver.stat(p("/d/e/a.txt")).etag
    driver.forget()
    with emulator.calls.counting() as calls:
        put(driver, "/d/e/a.txt", b"new", if_match=etag)
    assert calls.graph == 2, calls.operations
    driver.forget()
    with pytest.raises(PreconditionFailed):
        put(driver, "/d/e/a.txt", b"newer", if_match=etag)
    driver.forget()
    with pytest.raises(ParentNotFound):
        put(driver, "/d/none/a.txt", b"newer", if_match=etag)


def test_notebook(driver: GraphDriver, emulator: Emulator, drive: DriveState) -> None:
    """Nothing stays in a OneNote notebook."""
    drive.drive.make_package(drive.item("/d"), "Notes")
    with pytest.raises(Unsupported):
        put(driver, "/d/Notes/a.txt", b"new")
    assert "/d/Notes/a.txt" not in drive.tree()


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        ("get item", "one request"),
        ("put content", "one request"),
        ("get item", "a session"),
        ("create session", "a session"),
    ],
)
def test_throttled_inside(
    driver: GraphDriver, emulator: Emulator, clock: ManualClock, operation: str, size: str
) -> None:
    """A 429 inside the batch closes the gate for all, then the write is done the ordinary way."""
    emulator.faults.add(operation, Status(429, retry_after=7, code="activityLimitReached"))
    before = clock.monotonic()
    put(driver, "/d/e/b.txt", bytes(SIZES[size]))
    assert clock.monotonic() - before >= 7
    assert len(read(driver, "/d/e/b.txt")) == SIZES[size]


def test_long_throttling_inside(driver: GraphDriver, emulator: Emulator) -> None:
    """A pause that is too long is told, and nothing is written."""
    emulator.faults.add("put content", Status(429, retry_after=600, code="activityLimitReached"))
    with pytest.raises(Busy):
        put(driver, "/d/e/b.txt")


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_no_batches(driver: GraphDriver, emulator: Emulator, status: int) -> None:
    """A service that refuses batches is written to in two steps."""
    emulator.faults.add("batch", Status(status, code="notSupported"))
    put(driver, "/d/e/b.txt", b"new")
    assert read(driver, "/d/e/b.txt") == b"new"


@pytest.mark.parametrize("fault", [LoseAnswer(), WorkThen(504), WorkThen(500)], ids=["reset", "504", "500"])
def test_lost_answer(driver: GraphDriver, emulator: Emulator, fault: LoseAnswer | WorkThen) -> None:
    """The file is read back: it is there, so the write succeeded."""
    emulator.faults.add("batch", fault)
    put(driver, "/d/e/b.txt", b"new")
    assert read(driver, "/d/e/b.txt") == b"new"


def test_hidden_success_inside(driver: GraphDriver, emulator: Emulator) -> None:
    """An inner 504 after the work is reconciled like an outer one."""
    emulator.faults.add("put content", WorkThen(504))
    put(driver, "/d/e/b.txt", b"new")
    assert read(driver, "/d/e/b.txt") == b"new"


def test_gateway_page_inside(driver: GraphDriver, emulator: Emulator, drive: DriveState) -> None:
    """An inner 502 of a gateway, with nothing done: the write is repeated or told, never lost silently."""
    emulator.faults.add("put content", Html(502))
    try:
        put(driver, "/d/e/b.txt", b"new")
    except UnknownOutcome:
        assert "/d/e/b.txt" not in drive.tree()
    else:
        assert drive.tree()["/d/e/b.txt"] == b"new"


def test_times_in_the_session(driver: GraphDriver, emulator: Emulator) -> None:
    """A small content with times goes through a session opened in the batch: one version, with the client's time."""
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    assert put(driver, "/d/e/b.txt", b"new", times=Times(moment)).item.modified == moment


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/plain"])
def test_content_of_any_type(driver: GraphDriver, drive: DriveState, content_type: str) -> None:
    """The client's Content-Type does not change how the bytes travel in a batch: a JSON file stays what it is."""
    data = b'{"a": 1}'
    driver.put(p("/d/e/a.json"), Body(io.BytesIO(data), len(data), content_type))
    assert drive.read("/d/e/a.json") == data
