"""Policies whose root is a folder of the drive, shortcuts, and notebooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.graphdriver import GraphDriver, Place
from davbridge.drivers.roots import find_root
from davbridge.emulator import Emulator
from davbridge.errors import NotFound, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.mirror import TTL_SECONDS
from davbridge.mirror.sync import DeltaSync
from tests.contract.places import graph_of, p, put, read
from tests.mirror.conftest import Mirrored, mirrored
from tests.mirror.truth import paths
from tests.support.clock import HastyClock


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client whose pauses take a fiftieth of their time."""
    with graph_of(emulator, HastyClock()) as graph:
        yield graph


@pytest.fixture(params=["business", "personal"])
def rooted(request: pytest.FixtureRequest, emulator: Emulator, graph: Graph, mirrors: Mirrors) -> Iterator[Mirrored]:
    """`/projects/one` as the root, live; beside it `/elsewhere`."""
    drive = emulator.drive(request.param)
    for path in ("/projects/one/a.txt", "/projects/one/sub/b.txt", "/elsewhere/c.txt", "/elsewhere/d/e.txt"):
        drive.put(path, path.encode())
    world = mirrored(request.param, emulator, graph, mirrors, root="/projects/one")
    world.round()
    yield world
    mirrors.close()


def _whole(world: Mirrored, mirrors: Mirrors) -> GraphDriver:
    """A second policy: the whole drive."""
    graph = world.sync._graph

    def find() -> Place:
        return find_root(graph, get_drive(graph, world.drive.id), p("/"))

    driver = GraphDriver(graph, find, graph.clock, mirrors=mirrors, account="contoso")
    driver.probe()
    return driver


def test_nothing_above_the_root_shows(rooted: Mirrored) -> None:
    """The policy's tree begins at its root, and costs no call."""

    def look() -> None:
        assert paths(rooted.driver).keys() == {"/a.txt", "/sub", "/sub/b.txt"}
        with pytest.raises(NotFound):
            rooted.driver.stat(p("/elsewhere"))

    assert rooted.calls(look) == []


def test_out_of_the_root_and_into_it(rooted: Mirrored) -> None:
    """What others move out is gone after a round, and what they move in is there, with all that is below."""
    rooted.drive.move("/projects/one/sub", "/elsewhere/sub")
    rooted.drive.move("/elsewhere/d", "/projects/one/d")
    token = rooted.driver.sync_token()
    rooted.round()

    def look() -> None:
        for driver in (rooted.driver, rooted.other):
            assert paths(driver).keys() == {"/a.txt", "/d", "/d/e.txt"}
            with pytest.raises(NotFound):
                driver.stat(p("/sub/b.txt"))
        told = {
            "/".join(one.path.names): one.item is None
            for one in rooted.driver.changes(p("/"), token, deep=True).changes
        }
        assert told["sub"]
        assert not told["d"]

    assert rooted.calls(look) == []


def test_the_root_renamed_and_moved(rooted: Mirrored) -> None:
    """The root is known by its id: another name or place changes nothing below it."""
    rooted.drive.move("/projects/one", "/elsewhere/renamed")
    rooted.drive.put("/elsewhere/renamed/new.txt", b"new")
    rooted.round()
    found = paths(rooted.driver)
    assert found.keys() == {"/a.txt", "/sub", "/sub/b.txt", "/new.txt"}
    put(rooted.driver, "/ours.txt", b"ours")
    assert rooted.drive.read("/elsewhere/renamed/ours.txt") == b"ours"


def test_the_root_deleted(rooted: Mirrored) -> None:
    """Then there is nothing, and nothing is made up; the other policies of the drive go on."""
    rooted.drive.delete("/projects/one")
    rooted.round()
    for path in ("/", "/a.txt", "/sub/b.txt"):
        with pytest.raises(NotFound):
            rooted.driver.stat(p(path))
    with pytest.raises(NotFound):
        rooted.driver.children(p("/"))


def test_two_policies_share_a_file(rooted: Mirrored, mirrors: Mirrors) -> None:
    """One enumeration serves both, and what one writes the other shows at once."""
    whole = _whole(rooted, mirrors)
    assert whole._tree.cache.file is rooted.file

    def look() -> None:
        assert "/projects/one/sub/b.txt" in paths(whole)

    assert rooted.calls(look) == []
    put(whole, "/projects/one/sub/new.txt", b"new")
    rooted.driver.delete(p("/a.txt"))

    def look_again() -> None:
        assert paths(rooted.driver).keys() == {"/sub", "/sub/b.txt", "/sub/new.txt"}
        assert "/projects/one/a.txt" not in paths(whole)

    assert rooted.calls(look_again) == []


def test_a_shortcut_is_read_again_after_its_time(world: Mirrored) -> None:
    """A folder of another drive: delta does not watch that one, so what is in it is good for the time to live."""
    others = world.emulator.drive("archive")
    others.put("/shared/x.txt", b"x")
    others.put("/shared/below/y.txt", b"y")
    world.drive.put("/mine.txt", b"mine")
    world.drive.shortcut("theirs", others, "/shared")
    world.round()
    assert world.names("/") == {"mine.txt", "theirs"}
    assert paths(world.driver, "/theirs").keys() == {"/theirs/x.txt", "/theirs/below", "/theirs/below/y.txt"}
    assert world.calls(lambda: paths(world.other, "/theirs")) == []
    others.put("/shared/new.txt", b"new")
    others.delete("/shared/x.txt")
    world.round()
    tree = world.driver._tree
    with world.file.writing() as pen:
        number = pen.number(others.id)
        pen.sql.execute("UPDATE items SET expires = expires - 20, listed = listed - 20 WHERE drive = ?", (number,))
        pen.sql.execute("DELETE FROM paths")
    assert tree.cache.is_live()
    assert world.names("/theirs") == {"new.txt", "below"}
    assert read(world.driver, "/theirs/below/y.txt") == b"y"
    put(world.driver, "/theirs/ours.txt", b"ours")
    assert others.read("/shared/ours.txt") == b"ours"
    assert "ours.txt" in {item.name for item in world.other.children(p("/theirs"))[1]}
    world.round()
    assert world.drive.exists("/theirs")


def test_a_shortcut_that_is_removed(world: Mirrored) -> None:
    """The entry goes with a round; what it stood for stays."""
    others = world.emulator.drive("archive")
    others.put("/shared/x.txt", b"x")
    world.drive.shortcut("theirs", others, "/shared")
    world.round()
    assert world.names("/theirs") == {"x.txt"}
    world.drive.delete("/theirs")
    world.round()

    def look() -> None:
        with pytest.raises(NotFound):
            world.driver.stat(p("/theirs/x.txt"))

    assert world.calls(look) == []
    assert others.read("/shared/x.txt") == b"x"


def test_notebooks(world: Mirrored) -> None:
    """A OneNote notebook shows as a folder without content, costs no call, and cannot be written into."""
    world.drive.mkdir("/notes").package = "oneNote"
    world.drive.put("/x.txt", b"x")
    world.round()

    def look() -> None:
        assert world.names("/") == {"notes", "x.txt"}
        assert world.names("/notes") == set()

    assert world.calls(look) == []
    with pytest.raises(Unsupported):
        put(world.driver, "/notes/x.one", b"x")


def test_a_change_behind_a_shortcut_is_seen_by_who_trusts_tags(emulator: Emulator, graph: Graph) -> None:
    """A client that lists a folder only when its tag has changed sees it within the time to live."""
    clock = ManualClock()
    mirrors = Mirrors.temporary(clock)
    drive, others = emulator.drive("business"), emulator.drive("archive")
    others.put("/shared/x.txt", b"x")
    drive.put("/mine.txt", b"mine")
    drive.shortcut("theirs", others, "/shared")

    def find() -> Place:
        return find_root(graph, get_drive(graph, drive.id), p("/"))

    driver = GraphDriver(graph, find, clock, mirrors=mirrors, account="contoso")
    DeltaSync(graph, drive.id, mirrors.open("contoso", drive.id), "business").round()
    listed = {item.name: item.stamp for item in driver.children(p("/"))[1]}
    assert listed == {"mine.txt": "", "theirs": ""}
    assert {item.name for item in driver.children(p("/theirs"))[1]} == {"x.txt"}
    tag = driver.stat(p("/")).stamp
    others.put("/shared/new.txt", b"new")
    clock.advance(TTL_SECONDS)
    assert driver.stat(p("/")).stamp != tag
    assert {item.name for item in driver.children(p("/theirs"))[1]} == {"x.txt", "new.txt"}
    mirrors.close()


def test_a_root_behind_a_shortcut(emulator: Emulator, graph: Graph, mirrors: Mirrors) -> None:
    """It lies on a drive whose changes nobody tells, also when those of the policy's own drive are told."""
    drive, others = emulator.drive("business"), emulator.drive("archive")
    others.put("/shared/x.txt", b"x")
    drive.shortcut("theirs", others, "/shared")
    world = mirrored("business", emulator, graph, mirrors, root="/theirs")
    world.round()
    assert world.names() == {"x.txt"}
    assert (world.driver.stat(p("/")).stamp, world.driver.sync_token()) == ("", "")
    with pytest.raises(Unsupported):
        world.driver.changes(p("/"), "", deep=True)
    assert world.driver.report().sentence.startswith("no delta")
