"""How many Graph calls each operation takes: the table of the design, counted at the emulator.

"Warm": the folders concerned have just been listed. "Cold": nothing is known but the root's id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.protocol import Span, Times
from davbridge.emulator import Emulator
from davbridge.errors import AlreadyExists, NotFound
from davbridge.graph.client import Graph
from tests.contract.places import DRIVES, driver_of, names, p, put, read

pytestmark = pytest.mark.usefixtures("small_fragments")

MIB = 2**20
TIMES = Times(datetime(2020, 1, 1, tzinfo=UTC))
Operation = Callable[[GraphDriver], object]


@dataclass(frozen=True)
class Budget:
    """Graph calls, warm and cold; requests to an upload session's URL; downloads."""

    warm: int
    cold: int
    operation: Operation
    upload: int = 0
    download: int = 0


def stat_nothing(driver: GraphDriver) -> None:
    """Ask for what is not there."""
    with pytest.raises(NotFound):
        driver.stat(p("/d/e/none"))


BUDGETS = {
    "propfind 0": Budget(0, 1, lambda d: d.stat(p("/d/e/a.txt"))),
    "propfind 1": Budget(0, 1, lambda d: list(d.children(p("/d/e"))[1])),
    "get": Budget(1, 1, lambda d: read(d, "/d/e/a.txt"), download=1),
    "stat and get": Budget(1, 1, lambda d: (d.stat(p("/d/e/a.txt")), read(d, "/d/e/a.txt")), download=1),
    "put new": Budget(1, 1, lambda d: put(d, "/d/e/new.txt")),
    "put new in the root": Budget(1, 1, lambda d: put(d, "/new.txt")),
    "put over": Budget(1, 1, lambda d: put(d, "/d/e/a.txt", b"x")),
    "put over in the root": Budget(1, 1, lambda d: put(d, "/r.txt", b"x")),
    "put if absent": Budget(1, 1, lambda d: put(d, "/d/e/new.txt", if_absent=True)),
    "put with times": Budget(1, 1, lambda d: put(d, "/d/e/a.txt", b"x", times=TIMES), upload=1),
    "put 25 MiB": Budget(1, 1, lambda d: put(d, "/d/e/a.txt", bytes(25 * MIB)), upload=3),
    "mkcol": Budget(1, 2, lambda d: d.make_folder(p("/d/e/sub"))),
    "delete file": Budget(1, 2, lambda d: d.delete(p("/d/e/a.txt"))),
    "delete tree": Budget(1, 2, lambda d: d.delete(p("/d"))),
    "rename": Budget(1, 3, lambda d: d.move(p("/d/e/a.txt"), p("/d/e/z.txt"), replace=False)),
    "case-only rename": Budget(1, 3, lambda d: d.move(p("/d/e/a.txt"), p("/d/e/A.txt"), replace=False)),
    "move": Budget(1, 3, lambda d: d.move(p("/d/e/a.txt"), p("/t/u/z.txt"), replace=False)),
    "move over a file": Budget(1, 3, lambda d: d.move(p("/d/e/a.txt"), p("/t/u/old.txt"), replace=True)),
    "move a folder": Budget(1, 3, lambda d: d.move(p("/d"), p("/t/u/d"), replace=False)),
    "copy file": Budget(1, 3, lambda d: d.copy(p("/d/e/a.txt"), p("/t/u/z.txt"), replace=False)),
    "copy tree": Budget(1, 3, lambda d: d.copy(p("/d"), p("/t/u/d"), replace=False)),
    "proppatch times": Budget(1, 1, lambda d: d.set_times(p("/d/e/a.txt"), TIMES)),
    "quota": Budget(0, 1, lambda d: d.quota()),
    "stat of nothing": Budget(0, 2, stat_nothing),
}


@pytest.fixture(params=DRIVES)
def driver(request: pytest.FixtureRequest, emulator: Emulator, graph: Graph) -> GraphDriver:
    """A driver that knows its root only, over a small tree."""
    drive = emulator.drive(DRIVES[request.param])
    for path in ("/d/e/a.txt", "/t/u/old.txt", "/r.txt"):
        drive.put(path, b"content of " + path.encode())
    return driver_of(request.param, emulator, graph)


def warm(driver: GraphDriver) -> None:
    """Let the driver know the whole tree."""
    for path in ("/", "/d", "/d/e", "/t", "/t/u"):
        names(driver, path)
    driver.quota()


@pytest.mark.parametrize("state", ["warm", "cold"])
@pytest.mark.parametrize("name", BUDGETS)
def test_calls(driver: GraphDriver, emulator: Emulator, name: str, state: str) -> None:
    """No operation takes more calls than its budget."""
    budget = BUDGETS[name]
    if state == "warm":
        warm(driver)
    with emulator.calls.counting() as counted:
        budget.operation(driver)
    allowed = budget.warm if state == "warm" else budget.cold
    assert counted.graph <= allowed, counted.operations
    assert (counted.upload, counted.download) == (budget.upload, budget.download), counted.operations


def test_next_ranges(driver: GraphDriver, emulator: Emulator) -> None:
    """The first range of a file costs a call at most, each further one its download only."""
    with driver.open(p("/d/e/a.txt"), Span(0, 3)) as download:
        download.read(3)
    with emulator.calls.counting() as counted:
        for start in range(3, 9, 3):
            with driver.open(p("/d/e/a.txt"), Span(start, start + 3)) as download:
                assert len(download.read(3)) == 3
    assert (counted.graph, counted.download) == (0, 2), counted.operations


def test_safe_save(driver: GraphDriver, emulator: Emulator) -> None:
    """Three calls besides the bytes: the source's URL, the session, the deletion."""
    warm(driver)
    put(driver, "/d/e/a.tmp", b"x" * 1000)
    with emulator.calls.counting() as counted:
        driver.move(p("/d/e/a.tmp"), p("/d/e/a.txt"), replace=True)
    assert counted.graph <= 3, counted.operations
    assert (counted.upload, counted.download) == (1, 1)


@pytest.mark.parametrize("kind", ["business", "sharepoint"])
def test_copy_over_a_file(kind: str, emulator: Emulator, graph: Graph) -> None:
    """A copy over a file is one call where the drive replaces by itself."""
    for name in ("a.txt", "b.txt"):
        emulator.drive(DRIVES[kind]).put(f"/{name}", name.encode())
    driver = driver_of(kind, emulator, graph)
    names(driver, "/")
    with emulator.calls.counting() as counted:
        driver.copy(p("/a.txt"), p("/b.txt"), replace=True)
    assert counted.graph == 1, counted.operations


def test_pages(emulator: Emulator, graph: Graph) -> None:
    """A long folder costs one call a page cold, and nothing warm."""
    drive = emulator.drive("documents")
    for number in range(1450):
        drive.put(f"/many/{number:04}.txt", b"")
    driver = driver_of("sharepoint", emulator, graph)
    with emulator.calls.counting() as cold:
        assert len(names(driver, "/many")) == 1450
    with emulator.calls.counting() as known:
        assert len(names(driver, "/many")) == 1450
        assert driver.stat(p("/many/0449.txt")).size == 0
    assert (cold.graph, known.graph) == (3, 0)  # 200 with the folder itself, then pages of 1,000


def test_stat_then_write_elsewhere(emulator: Emulator, graph: Graph) -> None:
    """Making files in a known folder costs one call each, whatever is made."""
    emulator.drive("business").mkdir("/d/e")
    driver = driver_of("business", emulator, graph)
    names(driver, "/d/e")
    with emulator.calls.counting() as counted:
        for number in range(5):
            put(driver, f"/d/e/{number}.txt")
            driver.stat(p(f"/d/e/{number}.txt"))
        assert len(names(driver, "/d/e")) == 5
    assert counted.graph == 5, counted.operations


@pytest.mark.parametrize("target", ["/many/new.txt", "/many/0007.txt"])
def test_move_into_a_long_folder(emulator: Emulator, graph: Graph, target: str) -> None:
    """Nothing but the source's parent is known, and the target's folder has several pages."""
    drive = emulator.drive("documents")
    for number in range(250):
        drive.put(f"/many/{number:04}.txt", b"")
    drive.put("/a/x.txt", b"x")
    driver = driver_of("sharepoint", emulator, graph)
    with emulator.calls.counting() as counted:
        driver.move(p("/a/x.txt"), p(target), replace=True)
    assert counted.graph <= 3, counted.operations
    assert drive.read(target) == b"x"


@pytest.mark.parametrize("operation", ["move", "copy"])
def test_onto_the_last_of_a_long_folder(emulator: Emulator, graph: Graph, operation: str) -> None:
    """What the first page does not show is replaced as well, and refused without `replace`."""
    drive = emulator.drive("documents")
    for number in range(250):
        drive.put(f"/many/{number:04}.txt", b"")
    drive.put("/a/x.txt", b"x")
    driver = driver_of("sharepoint", emulator, graph)
    act = driver.move if operation == "move" else driver.copy
    with pytest.raises(AlreadyExists):
        act(p("/a/x.txt"), p("/many/0249.txt"), replace=False)
    driver.forget()
    assert not act(p("/a/x.txt"), p("/many/0249.txt"), replace=True).created
    assert drive.read("/many/0249.txt") == b"x"
    assert len(names(driver, "/many")) == 250
