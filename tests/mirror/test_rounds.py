"""Delta rounds: what they bring, what they cost, and what they may not take away."""

from __future__ import annotations

import pytest

from davbridge.drivers.protocol import Times
from davbridge.errors import NotFound, ParentNotFound
from davbridge.graph.model import DriveItem
from tests.contract.places import p, put, read
from tests.mirror.conftest import Mirrored


@pytest.fixture
def live(world: Mirrored) -> Mirrored:
    """A drive with some files, enumerated."""
    for path in ("/a/b/c.txt", "/a/d.txt", "/e.txt"):
        world.drive.put(path, path.encode())
    world.round()
    return world


def test_a_live_drive_needs_no_call(live: Mirrored) -> None:
    """Look-ups, listings and absence, at any depth, by any of the processes."""

    def look() -> None:
        for driver in (live.driver, live.other):
            assert driver.stat(p("/a/b/C.TXT")).size == 10
            assert {item.name for item in driver.children(p("/a"))[1]} == {"b", "d.txt"}
            with pytest.raises(NotFound):
                driver.stat(p("/a/b/none/deeper"))

    assert live.calls(look) == []


def test_nothing_new_is_one_call(live: Mirrored) -> None:
    """A poll that finds nothing."""
    assert live.calls(live.round) == ["delta"]


def test_changes_of_others_are_seen(live: Mirrored) -> None:
    """Create, modify, rename, move and delete behind the bridge's back, all in one round."""
    live.drive.put("/a/new.txt", b"new")
    live.drive.put("/a/d.txt", b"changed")
    live.drive.move("/e.txt", "/a/b/moved.txt")
    live.drive.move("/a/b", "/f")
    before = live.driver.stat(p("/a/d.txt")).etag
    live.round()

    def look() -> None:
        assert live.names("/") == {"a", "f"}
        assert live.names("/a") == {"new.txt", "d.txt"}
        assert live.names("/f") == {"c.txt", "moved.txt"}
        assert live.driver.stat(p("/a/d.txt")).etag != before
        with pytest.raises(NotFound):
            live.driver.stat(p("/a/b/c.txt"))

    assert live.calls(look) == []


def test_a_deleted_tree_is_gone(live: Mirrored) -> None:
    """Delta may tell of the folder alone; nothing below it stays."""
    live.drive.delete("/a")
    live.round()
    assert live.names("/") == {"e.txt"}
    with pytest.raises(NotFound):
        live.driver.stat(p("/a/b/c.txt"))
    assert len(live.file.read("SELECT id FROM items")) == 2


def test_the_tag_of_a_file_outlives_delta(live: Mirrored) -> None:
    """Delta on business drives leaves the cTag out: the DAV tag stays, whoever tells of the file."""
    written = put(live.driver, "/w.txt", b"written").item
    live.round()
    assert live.driver.stat(p("/w.txt")).etag == written.etag
    live.driver.set_times(p("/w.txt"), Times(modified=written.created))
    live.round()
    assert live.driver.stat(p("/w.txt")).etag == written.etag
    live.driver.move(p("/w.txt"), p("/a/x.txt"), replace=False)
    live.round()
    assert live.driver.stat(p("/a/x.txt")).etag == written.etag
    with live.driver.open(p("/a/x.txt")) as download:
        assert download.item.etag == written.etag
    assert read(live.driver, "/a/x.txt") == b"written"


def test_own_writes_are_seen_by_all_at_once(live: Mirrored) -> None:
    """Each write by one process is a fact for the other, without a call and without a round."""
    put(live.driver, "/a/w.txt", b"w")
    live.driver.make_folder(p("/g"))
    live.driver.move(p("/a/b"), p("/g/b"), replace=False)
    live.driver.delete(p("/e.txt"))

    def look() -> None:
        assert {item.name for item in live.other.children(p("/"))[1]} == {"a", "g"}
        assert {item.name for item in live.other.children(p("/a"))[1]} == {"d.txt", "w.txt"}
        assert {item.name for item in live.other.children(p("/g/b"))[1]} == {"c.txt"}

    assert live.calls(look) == []


def test_older_news_does_not_undo_our_writes(live: Mirrored) -> None:
    """A page that was asked for before our write, or lags behind it, changes nothing."""
    old = live.driver.stat(p("/e.txt"))
    put(live.driver, "/e.txt", b"ours")
    rows = live.file.read("SELECT etag, written FROM items WHERE name = 'e.txt'")
    with live.file.writing() as pen:
        row = pen.sql.execute("SELECT * FROM items WHERE name = 'e.txt'").fetchone()
        lagging = DriveItem(
            row["id"], live.drive.id, row["parent"], "e.txt", "file", old.size, "older", "", old.created, old.modified
        )
        believed = pen.learn(lagging, rows[0]["written"] - 1, ttl=15.0)
    assert believed is not None
    assert believed.etag == rows[0]["etag"]
    assert read(live.driver, "/e.txt") == b"ours"


def test_stamps(live: Mirrored) -> None:
    """A folder's stamp changes with anything below it, and with nothing elsewhere."""

    def stamps() -> tuple[str, ...]:
        return tuple(live.driver.stat(p(path)).stamp for path in ("/", "/a", "/a/b"))

    first = stamps()
    assert all(first)
    live.drive.put("/e.txt", b"other")
    live.round()
    second = stamps()
    assert second[0] != first[0]
    assert second[1:] == first[1:]
    put(live.other, "/a/b/new.txt", b"x")
    third = stamps()
    assert all(new != old for new, old in zip(third, second, strict=True))
    live.driver.delete(p("/a/b/c.txt"))
    assert stamps()[1] != third[1]


def test_a_round_goes_on_where_it_was(world: Mirrored) -> None:
    """A page is a transaction: after a broken connection no page is asked for twice."""
    world.emulator.quirks.short_pages = True
    for number in range(30):
        world.drive.put(f"/f{number}.txt", b"x")
    world.round()
    assert len(world.names("/")) == 30


def test_a_file_that_was_just_copied_is_no_folder(live: Mirrored) -> None:
    """Of a copy only the id is known: writing below it is told as what it is."""
    for act in (lambda: put(live.driver, "/copy.txt/x"), lambda: live.driver.make_folder(p("/copy.txt/x"))):
        live.driver.copy(p("/e.txt"), p("/copy.txt"), replace=True)
        with pytest.raises(ParentNotFound):
            act()
