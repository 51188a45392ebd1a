"""Stamps in answers: getctag and getetag of folders, what side files do to them, sync-token, and kept listings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from davbridge.drivers.memory import MemoryDriver
from davbridge.paths import DavPath
from davbridge.store.database import Database
from tests.support.memory import Drive, open_state
from tests.support.multistatus import CS, Asked, D, body_of

STAMPS = body_of(Asked("prop", (CS + "getctag", D + "getetag")))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A state file."""
    database = open_state(tmp_path)
    yield database
    database.close()


@pytest.fixture
def drive(database: Database) -> Drive:
    """`/a/b/file.txt` and `/c`."""
    drive = Drive(database)
    for path in (("a",), ("a", "b"), ("c",)):
        drive.driver.make_folder(DavPath(path))
    drive.store("/a/b/file.txt")
    return drive


def tags(drive: Drive, path: str = "/me", user: str = "alice") -> dict[str, str]:
    """getctag of the folder and of those in it, by href."""
    root = etree.fromstring(drive.propfind(path, "1", STAMPS, user=user).body)
    return {node[0].text: node.findtext(f".//{CS}getctag") for node in root if node.findtext(f".//{CS}getctag")}


def tag(drive: Drive, path: str, user: str = "alice") -> str:
    """getctag of one folder, asked with Depth 0."""
    return str(etree.fromstring(drive.propfind(path, "0", STAMPS, user=user).body).findtext(f".//{CS}getctag"))


def test_a_change_is_told_by_all_folders_above(drive: Drive) -> None:
    """And by no others."""
    before = tags(drive)
    drive.store("/a/b/file.txt", b"new")
    after = tags(drive)
    assert {href for href in before if before[href] != after[href]} == {"/me/", "/me/a/"}


def test_getetag_of_a_folder_is_its_quoted_stamp(drive: Drive) -> None:
    """Only when it is named."""
    told = etree.fromstring(drive.propfind("/me/a", "0", STAMPS).body)
    assert told.findtext(f".//{D}getetag") == f'"{told.findtext(f".//{CS}getctag")}"'
    assert b"getetag" not in drive.propfind("/me/a", "0").body
    assert b"getctag" not in drive.propfind("/me/a", "0").body


@pytest.mark.parametrize("name", ["._private", "~$shared.docx", "reserved.txt"])
def test_a_side_file_changes_the_folders_above(drive: Drive, name: str) -> None:
    """In the folder's own answer as in its parent's listing, for those who see it."""
    before, bob = tags(drive), tag(drive, "/me/a", "bob")
    drive.overlay.for_user("alice").reserve(DavPath(("a", "b", name)))
    after = tags(drive)
    assert {href for href in before if before[href] != after[href]} == {"/me/", "/me/a/"}
    assert tag(drive, "/me/a") == after["/me/a/"]
    assert tag(drive, "/me/") == after["/me/"]
    assert tags(drive, "/me/a")["/me/a/b/"] == tag(drive, "/me/a/b")
    assert (tag(drive, "/me/a", "bob") == bob) == (name == "._private")
    drive.overlay.for_user("alice").delete(DavPath(("a", "b", name)))
    assert tags(drive) == before


def test_kept_listings_show_side_files_to_those_who_may_see_them(drive: Drive) -> None:
    """Nobody else's come out of what was kept."""
    for _ in range(2):
        assert b"._x" not in drive.propfind("/me/c", "1").body
    drive.overlay.for_user("alice").reserve(DavPath(("c", "._x")))
    for _ in range(2):
        assert b"._x" in drive.propfind("/me/c", "1").body
        assert b"._x" not in drive.propfind("/me/c", "1", user="bob").body


def test_kept_listings_give_way_to_locks_and_properties(drive: Drive) -> None:
    """Both are told at once, and are gone at once."""
    plain = drive.propfind("/me/a/b", "1").body
    path = DavPath(("a", "b", "file.txt"))
    lock = drive.locks.grant(drive.name, path, "alice", exclusive=True, infinite=False, owner="", seconds=60)
    assert lock.token.encode() in drive.propfind("/me/a/b", "1").body
    drive.locks.release(lock.token)
    drive.dead.change(drive.name, path, {"{urn:x}a": '<x:a xmlns:x="urn:x">here</x:a>'})
    assert b"here" in drive.propfind("/me/a/b", "1").body
    drive.dead.change(drive.name, path, {"{urn:x}a": None})
    assert drive.propfind("/me/a/b", "1").body == plain


def test_a_tree_that_nobody_follows_has_no_sync_token(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both properties are missing."""
    monkeypatch.setattr(drive.driver, "sync_token", lambda: "")
    body = body_of(Asked("prop", (D + "sync-token", D + "supported-report-set")))
    root = etree.fromstring(drive.propfind("/me/a", "0", body).body)
    assert root.findtext(f".//{D}status") == "HTTP/1.1 404 Not Found"


def test_infinity_is_refused_beyond_its_limit(database: Database) -> None:
    """The tree whole, or 403 with the condition of RFC 4918 §9.1.1; the item itself counts."""
    driver = MemoryDriver(Drive(database).clock)
    for path in (("a",), ("a", "b"), ("c",)):
        driver.make_folder(DavPath(path))
    for limit, status in ((0, 403), (4, 403), (5, 207), (9, 207)):
        drive = Drive(database, driver, infinite_depth=limit)
        drive.store("/a/b/file.txt")
        told = drive.propfind("/me", "infinity")
        assert told.status == status
        assert (b"propfind-finite-depth" in told.body) == (status == 403)
        if status == 403:
            said = etree.fromstring(told.body).findtext("{urn:davbridge}message")
            assert "server.infinite_depth" in said
            assert f"(now {limit})" in said
            assert f"more than {limit} items" in said or not limit
    hrefs = [node[0].text for node in etree.fromstring(told.body)]
    assert sorted(hrefs) == ["/me/", "/me/a/", "/me/a/b/", "/me/a/b/file.txt", "/me/c/"]
    assert hrefs.index("/me/a/") < hrefs.index("/me/a/b/") < hrefs.index("/me/a/b/file.txt")
