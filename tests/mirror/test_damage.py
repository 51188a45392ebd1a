"""The mirror's file damaged, gone, full, or left by a killed process: requests go on, and nothing else is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from davbridge.drivers.graphdriver import GraphDriver, Place
from davbridge.drivers.roots import find_root
from davbridge.emulator import Emulator
from davbridge.errors import BridgeError
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive
from davbridge.mirror import sync
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.schema import SCHEMA
from davbridge.mirror.sync import DeltaSync
from davbridge.store.database import Database
from tests.contract.places import graph_of, p, put, read
from tests.mirror.conftest import Mirrored
from tests.mirror.truth import assert_true, paths, rounds, small_pages, truth
from tests.support.clock import HastyClock


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client whose pauses take a fiftieth of their time."""
    with graph_of(emulator, HastyClock()) as graph:
        yield graph


def _driver(graph: Graph, mirrors: Mirrors, drive_id: str) -> GraphDriver:
    def find() -> Place:
        return find_root(graph, get_drive(graph, drive_id), p("/"))

    driver = GraphDriver(graph, find, graph.clock, mirrors=mirrors, account="contoso")
    driver.probe()
    return driver


@pytest.fixture(params=["business", "personal"])
def world(request: pytest.FixtureRequest, emulator: Emulator, graph: Graph, tmp_path: Path) -> Iterator[Mirrored]:
    """A live drive; `other` has opened the file by itself, as another process does."""
    drive = emulator.drive(request.param)
    for number in range(6):
        drive.put(f"/a/{number}.txt", b"x" * number)
    drive.put("/b/c/d.txt", b"d")
    mine, theirs = Mirrors(tmp_path, graph.clock), Mirrors(tmp_path, graph.clock)
    file = mine.open("contoso", drive.id)
    delta = DeltaSync(graph, drive.id, file, "drive")
    found = Mirrored(emulator, drive, _driver(graph, mine, drive.id), _driver(graph, theirs, drive.id), delta, file)
    found.round()
    assert_true(found)
    yield found
    mine.close()
    theirs.close()


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(max(path.stat().st_size, 8192)))


def _sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def _both(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "deleted with its log": _both,
    "overwritten": _overwrite,
    "emptied": lambda path: os.truncate(path, 0),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "without its log": lambda path: Path(f"{path}-wal").unlink(),
    "no database": lambda path: path.write_text("this is no database" * 1000),
    "of another version": lambda path: (path.unlink(), _sql(path, "PRAGMA user_version = 1", "CREATE TABLE items (x)")),
    "another database": lambda path: (path.unlink(), _sql(path, "CREATE TABLE something (x)")),
    "without a table": lambda path: _sql(path, "DROP TABLE items"),
}


@pytest.mark.parametrize("checkpointed", [True, False], ids=["at rest", "in the log"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_under_two_processes(world: Mirrored, damage: str, checkpointed: bool) -> None:
    """Every request is answered with the truth; after a round or two both are live again, on one file."""
    if checkpointed:
        _sql(world.file.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    DAMAGES[damage](world.file.path)
    world.file.clock.sleep(2)  # the file is looked at once a second
    for driver in (world.driver, world.other):
        driver._tree.cache.file.look()
    for number, driver in enumerate((world.driver, world.other, world.driver)):
        put(driver, f"/ours{number}.txt", b"ours")
        assert paths(driver) == truth(world)
        assert read(driver, "/b/c/d.txt") == b"d"
    world.drive.put("/theirs.txt", b"theirs")
    world.driver.delete(p("/a/3.txt"))
    rounds(world)
    world.file.clock.sleep(2)
    world.other._tree.cache.file.look()
    assert_true(world)
    put(world.other, "/late.txt", b"late")
    assert_true(world)


@pytest.mark.parametrize("damage", ["deleted", "overwritten", "cut in half", "without its log"])
def test_damaged_while_requests_go_on(world: Mirrored, damage: str) -> None:
    """Threads of both processes read and write while it happens: no request fails, and no answer is wrong."""
    failed: list[BaseException] = []
    begun, stop = threading.Barrier(5), threading.Event()

    def work(driver: GraphDriver, name: str) -> None:
        begun.wait()
        number = 0
        try:
            while not stop.is_set() or number < 3:
                number += 1
                put(driver, f"/{name}.txt", b"x" * number)
                assert driver.stat(p(f"/{name}.txt")).size == number
                names = {item.name for item in driver.children(p("/a"))[1]}
                assert names == {f"{one}.txt" for one in range(6)}
        except BaseException as error:
            failed.append(error)
        finally:
            driver._tree.cache.file.close()

    threads = [
        threading.Thread(target=work, args=(driver, f"w{number}"))
        for number, driver in enumerate((world.driver, world.other) * 2)
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    DAMAGES[damage](world.file.path)
    for _ in range(3):
        world.file.clock.sleep(2)
        world.file.look()
        rounds(world)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    world.file.clock.sleep(2)
    world.other._tree.cache.file.look()
    rounds(world)
    assert_true(world)


def test_a_folder_that_cannot_be_had(world: Mirrored, tmp_path: Path) -> None:
    """Where no file can be made all is asked of Graph; when it can be, the drive is live after a round."""
    place = tmp_path / "place"
    place.write_text("a file where the folder should be")
    mirrors = Mirrors(place / "mirror", world.file.clock)
    driver = _driver(world.sync._graph, mirrors, world.drive.id)
    for number in range(2):
        put(driver, f"/n{number}.txt", b"x")
        assert paths(driver) == truth(world)
        driver.delete(p(f"/n{number}.txt"))
    assert driver._tree.cache.file.is_lost
    place.unlink()
    world.file.clock.sleep(20)
    file = driver._tree.cache.file
    DeltaSync(world.sync._graph, world.drive.id, file, "again").round()
    assert not file.is_lost
    assert world.calls(lambda: paths(driver)) == []
    mirrors.close()


def test_a_full_disk(world: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says that the disk is full: requests are answered, and what could not be kept is not believed."""
    connect = Database._connect

    def connect_small(database: Database) -> sqlite3.Connection:
        connection = connect(database)
        connection.execute("PRAGMA max_page_count = 46")
        return connection

    monkeypatch.setattr(Database, "_connect", connect_small)
    world.file._database.reopen()
    world.file._database._inode = world.file.path.stat().st_ino
    for number in range(150):
        world.drive.put(f"/many/{number:03}{'x' * 150}.txt", b"x")
    for number in range(3):
        with suppress(BridgeError):
            world.round()
        put(world.driver, f"/ours{number}.txt", b"ours")
        assert paths(world.driver) == truth(world)
        world.file.clock.sleep(20)
    assert world.sync.standing.phase != "live"
    monkeypatch.undo()
    world.file._database.reopen()
    world.file.clock.sleep(20)
    world.file.look()
    rounds(world)
    world.other._tree.cache.file.look()
    assert_true(world)


_CHILD = """
import json, os, resource, signal, sys
from pathlib import Path
from types import SimpleNamespace
from davbridge.clock import SystemClock
from davbridge.graph import delta
from davbridge.mirror import pen, staging, sync, sweep
from davbridge.mirror.folder import Mirrors
from tests.contract.places import graph_of
facts = json.loads(sys.argv[1])
delta._OPTIONS = delta._OPTIONS.replace("$top=1000", "$top=3")
if facts["most"]:
    staging.MOST_AT_ONCE, staging._PART = 2, 2
left = facts["count"]
def die(module, name):
    whole = getattr(module, name)
    def mortal(*given, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*given, **named)
    setattr(module, name, mortal)
if facts["point"]:
    module, name = facts["point"].split(":")
    die({"pen": pen.Pen, "sync": sync, "staging": staging, "sweep": sweep, "delta": sync.DeltaSync}[module], name)
if facts["limit"]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (facts["limit"], facts["limit"]))
emulator = SimpleNamespace(**facts, access_token=lambda: facts["token"])
with graph_of(emulator) as graph:
    file = Mirrors(Path(facts["folder"]), graph.clock).open("contoso", facts["drive"])
    print(sync.DeltaSync(graph, facts["drive"], file, "child").round())
"""


def _child(world: Mirrored, point: str, count: int, *, most: bool = False, limit: int = 0) -> int:
    """A round in a process of its own, which is killed when it comes to a point for so many times; its exit status."""
    facts = {
        "graph_url": world.emulator.graph_url,
        "ca_file": world.emulator.ca_file,
        "token": world.emulator.access_token(),
        "drive": world.drive.id,
        "folder": str(world.file.path.parent),
        "point": point,
        "count": count,
        "most": most,
        "limit": limit,
    }
    child = subprocess.run([sys.executable, "-c", _CHILD, json.dumps(facts)], timeout=60, check=False)
    return child.returncode


def _stir(world: Mirrored) -> None:
    for number in range(8):
        world.drive.put(f"/new/{number}.txt", b"new")
    world.drive.delete("/a/1.txt")
    world.drive.move("/b/c", "/a/c2")
    world.drive.delete("/b")


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize(
    "point", ["sync:take", "pen:finish", "sync:settle_doubts", "sync:sweep", "sweep:_remove_children", "delta:_write"]
)
def test_killed_in_a_round(world: Mirrored, point: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle of a page, before its commit, at the round's end, in the sweep: the next one goes on."""
    small_pages(monkeypatch)
    _stir(world)
    world.drive.delete("/new/5.txt")
    status = _child(world, point, count)
    assert status in (0, -signal.SIGKILL)
    assert status or count, "the point was not come to"
    rounds(world)
    assert_true(world)
    put(world.other, "/after.txt", b"after")
    assert_true(world)


@pytest.mark.parametrize("most", [False, True], ids=["at once", "in parts"])
@pytest.mark.parametrize("point", ["sync:stage", "delta:_merge", "pen:learn", "sync:settle_doubts", "sync:clear_stage"])
@pytest.mark.parametrize("count", [0, 1])
def test_killed_after_410(world: Mirrored, point: str, count: int, most: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL while the new enumeration is gathered, and while it is merged: all is right, and no page asked twice."""
    small_pages(monkeypatch)
    _stir(world)
    world.drive.expire_delta()
    before = truth(world)
    with world.emulator.calls.counting() as counted:
        status = _child(world, point, count, most=most)
        assert status in (0, -signal.SIGKILL)
        assert status or count, "the point was not come to"
        put(world.driver, "/ours.txt", b"ours")
        assert paths(world.other).keys() >= {"/ours.txt"}
        rounds(world)
    pages = -(-(len(before) + 1) // 3)
    assert counted.operations.count("delta") <= pages + 3
    assert_true(world)
    assert not world.file.read("SELECT 1 FROM staged")


def test_no_room_for_a_file_of_that_size(world: Mirrored) -> None:
    """A process that may not write as much says so and goes on: the file that it could not fill is not believed."""
    for number in range(200):
        world.drive.put(f"/many/{number:03}{'x' * 150}.txt", b"x")
    _child(world, "", 0, limit=60_000)
    world.file.clock.sleep(2)
    world.file.look()
    assert paths(world.driver) == truth(world)
    rounds(world)
    world.other._tree.cache.file.look()
    assert_true(world)


def test_the_file_is_lost_in_the_middle_of_a_round(world: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the pages is not the drive: the round ends, and the next begins anew."""
    small_pages(monkeypatch)
    world.drive.expire_delta()
    ask = sync.get_delta
    asked: list[str] = []

    def ask_and_lose(graph: Graph, drive_id: str, link: str = "") -> object:
        page = ask(graph, drive_id, link)
        asked.append(link)
        if len(asked) == 4:
            world.file.path.unlink()
        return page

    monkeypatch.setattr(sync, "get_delta", ask_and_lose)
    assert rounds(world) == 1
    world.file.clock.sleep(2)
    world.other._tree.cache.file.look()
    assert_true(world)


def test_a_file_of_now_has_all_tables(world: Mirrored) -> None:
    """The schema is made in one go, so that no other process ever finds half of it."""
    names = {row[0] for row in world.file.read("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert len(names) == sum("CREATE TABLE" in statement for statement in SCHEMA)
