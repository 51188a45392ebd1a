"""After 410: clients see the old state and our own writes until the new enumeration is whole; then the difference."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Reset
from davbridge.errors import BadUpstream, BridgeError
from davbridge.graph.client import Graph
from davbridge.mirror import staging, sync
from davbridge.mirror.folder import Mirrors
from tests.contract.places import graph_of, p, put, read
from tests.mirror.conftest import Mirrored, mirrored
from tests.mirror.truth import assert_true, paths, rounds, small_pages, truth
from tests.support.clock import HastyClock


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client whose pauses take a fiftieth of their time."""
    with graph_of(emulator, HastyClock()) as graph:
        yield graph


@pytest.fixture
def gathering(world: Mirrored, monkeypatch: pytest.MonkeyPatch) -> Mirrored:
    """Amid an enumeration after 410, with changes of others that it will bring."""
    small_pages(monkeypatch)
    for number in range(9):
        world.drive.put(f"/a/{number}.txt", b"x")
    world.drive.put("/b/c.txt", b"c")
    world.round()
    world.drive.delete("/a/1.txt")
    world.drive.put("/new.txt", b"new")
    world.drive.move("/b", "/b2")
    world.drive.expire_delta()
    world.emulator.faults.add("delta", Reset(), nth=4, times=5)
    with pytest.raises(BadUpstream):
        world.round()
    assert world.sync.standing.phase == "resync"
    return world


def test_the_old_state_and_our_writes(gathering: Mirrored) -> None:
    """No call, nothing of the others' changes, all of ours."""
    put(gathering.driver, "/ours.txt", b"ours")
    gathering.driver.delete(p("/a/2.txt"))
    gathering.driver.move(p("/a/3.txt"), p("/moved.txt"), replace=False)

    def look() -> None:
        for driver in (gathering.driver, gathering.other):
            found = paths(driver)
            assert {"/a/1.txt", "/b/c.txt", "/ours.txt", "/moved.txt"} <= found.keys()
            assert not {"/new.txt", "/b2", "/a/2.txt", "/a/3.txt"} & found.keys()

    assert gathering.calls(look) == []
    rounds(gathering)
    assert_true(gathering)


def test_our_writes_outlive_the_fence(emulator: Emulator, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """An enumeration that takes longer than the fence tells of what we have deleted since: it stays gone."""
    small_pages(monkeypatch)
    mirrors = Mirrors.temporary(graph.clock)
    mirrors._fence = 0.0
    world = mirrored("business", emulator, graph, mirrors)
    for number in range(9):
        world.drive.put(f"/{number}.txt", b"x")
    world.drive.put("/folder/below/x.txt", b"x")
    world.round()
    world.drive.expire_delta()
    world.emulator.faults.add("delta", Reset(), nth=5, times=5)
    with pytest.raises(BadUpstream):
        world.round()
    put(world.driver, "/8.txt", b"longer")
    for path in ("/0.txt", "/1.txt", "/7.txt", "/folder"):
        world.driver.delete(p(path))
    put(world.driver, "/0.txt", b"another")
    take_in, shown = sync.sweep, []

    def look_first(file: object) -> None:
        shown.append(world.calls(lambda: shown.append(paths(world.driver))))
        take_in(world.file)

    monkeypatch.setattr(sync, "sweep", look_first)
    rounds(world)
    assert shown[0] == truth(world), "what the merge shows, before any further round"
    assert shown[1] == []
    world.round()
    assert_true(world)
    assert read(world.driver, "/0.txt") == b"another"
    assert len(world.file.read("SELECT id FROM items")) == len(truth(world)) + 1
    assert not world.file.read("SELECT 1 FROM gone")
    mirrors.close()


def test_the_difference_at_once(gathering: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks while it is taken in sees the state before or the state after, and never a mixture."""
    old, new = paths(gathering.other), truth(gathering)
    learn, seen = staging.Pen.learn, []

    def learn_and_look(pen: staging.Pen, *given: object, **named: object) -> object:
        thread = threading.Thread(target=lambda: (seen.append(paths(gathering.other)), gathering.file.close()))
        thread.start()
        thread.join()
        return learn(pen, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(staging.Pen, "learn", learn_and_look)
    rounds(gathering)
    monkeypatch.undo()
    assert len(seen) > 1
    assert all(one == old for one in seen)
    assert paths(gathering.other) == new


def test_a_large_difference_comes_in_parts(gathering: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it would lock writers out for long, the drive is not live meanwhile: clients see what is there."""
    monkeypatch.setattr(staging, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(staging, "_PART", 1)
    parts = 0
    apply = staging.apply

    def apply_and_look(*given: object) -> None:
        nonlocal parts
        parts += 1
        apply(*given)  # type: ignore[arg-type]
        assert gathering.sync.standing.phase == "merging"
        assert not gathering.sync.standing.is_live(gathering.file.now())

    monkeypatch.setattr(staging, "apply", apply_and_look)
    rounds(gathering)
    assert parts >= 2
    assert_true(gathering)


def test_stamps_and_tokens_hold(gathering: Mirrored) -> None:
    """What changes while it is gathered, by us or by others, changes the stamps; tokens of before stay good."""
    driver = gathering.driver
    before = {path: driver.stat(p(path)).stamp for path in ("/", "/a", "/b")}
    token = driver.sync_token()
    put(driver, "/b/ours.txt", b"ours")
    rounds(gathering)
    after = {path: driver.stat(p(path)).stamp for path in ("/", "/a", "/b2")}
    assert after["/"] != before["/"]
    assert after["/a"] != before["/a"]
    assert after["/b2"] != before["/b"]
    told = {"/".join(change.path.names) for change in driver.changes(p("/"), token, deep=True).changes}
    assert {"a/1.txt", "new.txt", "b", "b2"} <= told


def test_a_crowd(emulator: Emulator, graph: Graph, tmp_path: Path) -> None:
    """20,000 items: enumerated, refused, enumerated again with our writes meanwhile; in little time and memory."""
    mirrors = Mirrors(tmp_path, graph.clock)
    emulator.drive("business").generate(folders=1000, files_per_folder=19, fanout=20)
    world = mirrored("business", emulator, graph, mirrors)
    assert world.calls(world.round) == ["delta"] * 21
    assert len(world.file.read("SELECT id FROM items")) == 20_001
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    world.drive.delete("/folder 0000000/folder 0000020")
    world.drive.expire_delta()
    stop, failed, written = threading.Event(), list[BridgeError](), 0

    def write() -> None:
        nonlocal written
        while not stop.is_set() or not written:
            try:
                put(world.other, f"/ours{written}.txt", b"ours")
                written += 1
            except BridgeError as error:
                failed.append(error)
        world.file.close()

    thread = threading.Thread(target=write)
    thread.start()
    world.round()
    stop.set()
    thread.join()
    assert not failed
    world.round()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB"

    def look() -> None:
        assert {f"ours{number}.txt" for number in range(written)} <= world.names("/")
        assert "folder 0000020" not in world.names("/folder 0000000")

    assert world.calls(look) == []
    mirrors.close()


def test_a_fenced_write_that_others_deleted(world: Mirrored) -> None:
    """What we made a moment ago and somebody deleted goes with the new enumeration, which alone tells of it."""
    world.round()
    world.driver.make_folder(p("/a"))
    world.drive.delete("/a")
    world.drive.expire_delta()
    world.round()
    assert world.names("/") == set()


def test_a_fenced_write_that_the_first_enumeration_misses(world: Mirrored) -> None:
    """The same where nothing was known before."""
    world.driver.make_folder(p("/a"))
    world.drive.delete("/a")
    world.round()
    assert world.names("/") == set()
