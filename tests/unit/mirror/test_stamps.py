"""Stamps of folders: what they change with, above shortcuts and elsewhere, and what `status` says of shortcuts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.keys import key_of
from davbridge.mirror.mirror import TTL_SECONDS, Mirror
from davbridge.mirror.report import report_of
from davbridge.paths import DavPath

DRIVE, OTHER = "b!Drive", "b!Other"
ROOT = key_of(DRIVE, "root-id")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def folder(item_id: str, name: str, parent: str = "root-id", drive: str = DRIVE, version: int = 1) -> DriveItem:
    """A folder's driveItem."""
    etag = f'"{{{item_id}}},{version}"'
    return DriveItem(item_id, drive, parent, name, "folder", 0, etag, etag, AT, AT)


def shortcut(item_id: str, name: str, parent: str = "root-id") -> DriveItem:
    """One to the folder `shared` of the other drive."""
    return replace(folder(item_id, name, parent), remote=ItemRef(OTHER, "shared"))


@pytest.fixture
def clock() -> ManualClock:
    """Stands at the beginning of a window."""
    clock = ManualClock()
    clock.advance(-clock.now().timestamp() % TTL_SECONDS)
    return clock


@pytest.fixture
def mirror(clock: ManualClock, tmp_path: Path) -> Mirror:
    """A live drive: `/a/b/Short` is a shortcut, `/c/d` is none; the shortcut's folder was read once."""
    mirror = Mirror(Mirrors(tmp_path, clock).open("contoso", DRIVE), ROOT)
    with mirror.file.writing() as pen:
        now = clock.now().timestamp()
        number = pen.number(DRIVE)
        pen.sql.execute("INSERT INTO sync VALUES (?, 'live', 'link', '', 0, ?, 0, 0, '')", (number, now))
    for one in (
        folder("root-id", "root", ""),
        *(folder("a", "a"), folder("b", "b", "a"), shortcut("s", "Short", "b")),
        *(folder("c", "c"), folder("d", "d", "c")),
        folder("shared", "Shared", "x", OTHER),
    ):
        mirror.learn(one, mirror.now())
    with mirror.file.writing() as pen:
        pen.sql.execute("UPDATE items SET listed = 0 WHERE drive = ?", (number,))
    return mirror


def stamps(mirror: Mirror) -> dict[str, str]:
    """The stamps of all folders by path, each asked for by itself; those of listings are the same."""
    found: dict[str, str] = {}
    for path in ("/", "/a", "/a/b", "/a/b/Short", "/c", "/c/d"):
        item = mirror.locate(DavPath.parse(path)).item
        assert item is not None
        found[path] = item.stamp
    for parent, path in (("root-id", "/"), ("a", "/a/"), ("b", "/a/b/"), ("c", "/c/")):
        for child in mirror.known_children(key_of(DRIVE, parent)):
            assert child.stamp == found[path + child.name], path + child.name
    return found


def stamps_of(mirror: Mirror) -> dict[str, str]:
    """As `stamps`, of plain folders only."""
    found = {path: mirror.locate(DavPath.parse(path)).item for path in ("/", "/a", "/a/b", "/c", "/c/d")}
    return {path: item.stamp for path, item in found.items() if item is not None}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The paths of the stamps that differ."""
    return {path for path in before if before[path] != after[path]}


def test_folders_above_a_shortcut_change_with_time(mirror: Mirror, clock: ManualClock) -> None:
    """Once in a listing's time to live, though nobody writes into the file; all others stand still."""
    before = stamps(mirror)
    clock.advance(TTL_SECONDS - 0.1)
    assert changed(before, stamps(mirror)) == set()
    clock.advance(0.1)
    assert changed(before, stamps(mirror)) == {"/", "/a", "/a/b"}


def test_a_shortcut_has_no_stamp(mirror: Mirror) -> None:
    """Neither when it is asked for nor in the listing of its folder: nobody knows whether anything has changed."""
    found = stamps(mirror)
    assert [path for path, stamp in found.items() if not stamp] == ["/a/b/Short"]


def test_a_change_elsewhere_that_we_learn_of_is_told_at_once(mirror: Mirror) -> None:
    """A write of ours behind the shortcut, or what a listing of it has brought."""
    before = stamps(mirror)
    mirror.wrote(folder("new", "new", "shared", OTHER))
    written = stamps(mirror)
    assert changed(before, written) == {"/", "/a", "/a/b"}
    mirror.learn(folder("new", "new", "shared", OTHER, version=2), mirror.now())
    assert changed(written, stamps(mirror)) == set(), "a change that nobody is shown"
    mirror.removed(folder("new", "new", "shared", OTHER))
    assert changed(written, stamps(mirror)) == {"/", "/a", "/a/b"}


def test_a_shortcut_that_moves_takes_the_unrest_along(mirror: Mirror, clock: ManualClock) -> None:
    """And one that is removed ends it."""
    mirror.learn(shortcut("s", "Short", "d"), mirror.now())
    before = stamps_of(mirror)
    clock.advance(TTL_SECONDS)
    assert changed(before, stamps_of(mirror)) == {"/", "/c", "/c/d"}
    mirror.removed(shortcut("s", "Short", "d"))
    before = stamps_of(mirror)
    clock.advance(TTL_SECONDS)
    assert changed(before, stamps_of(mirror)) == set()


def test_what_is_followed(mirror: Mirror) -> None:
    """The drive that delta is asked about, if anybody asks and delta answers: not one that a shortcut leads to."""
    assert mirror.is_followed(ROOT[0])
    assert not mirror.is_followed(key_of(OTHER, "")[0])
    behind = Mirror(mirror.file, key_of(OTHER, "shared"), watched=ROOT[0])
    assert not behind.is_followed(behind.root[0])
    told = report_of(behind)
    assert (told.state, told.live, told.items, told.age) == ("none", False, 1, None)
    assert "shortcut" in told.message
    mirror.file.is_polled = False
    assert not mirror.is_followed(ROOT[0])
    assert "15 seconds" in report_of(mirror).sentence
    mirror.file.is_polled = True
    with mirror.file.writing() as pen:
        pen.sql.execute("UPDATE sync SET phase = 'none'")
    assert not mirror.is_followed(ROOT[0])


def test_the_report_names_shortcuts(mirror: Mirror) -> None:
    """The first few below the policy's own root, a count, and the time to live."""
    told = report_of(mirror)
    assert (told.shortcuts, list(told.shortcut_paths)) == (1, ["/a/b/Short"])
    assert told.exceptions.startswith("/a/b/Short: ")
    assert "15 seconds" in told.exceptions
    elsewhere = report_of(Mirror(mirror.file, key_of(DRIVE, "c"), watched=ROOT[0]))
    assert (elsewhere.shortcuts, elsewhere.exceptions) == (0, "")
    for number in range(7):
        mirror.learn(shortcut(f"s{number}", f"Short {number}", "d"), mirror.now())
    below = report_of(Mirror(mirror.file, key_of(DRIVE, "c"), watched=ROOT[0]))
    assert (below.shortcuts, list(below.shortcut_paths)) == (7, [f"/d/Short {number}" for number in range(5)])
    assert "/d/Short 4 and 2 more: " in below.exceptions
