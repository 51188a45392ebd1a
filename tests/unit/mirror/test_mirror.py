"""The mirror as a policy sees it: what is known, for how long, and what our own writes keep from being overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.keys import key_of, own_key
from davbridge.mirror.mirror import Mirror
from davbridge.mirror.urls import DownloadUrls
from davbridge.mirror.versions import is_older, version_of
from davbridge.paths import DavPath
from davbridge.redact import Secret

DRIVE = "b!Drive"
ROOT = key_of(DRIVE, "root-id")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def item(item_id: str, name: str, parent: str = "root-id", kind: str = "file", version: int = 1) -> DriveItem:
    """A driveItem with a counted eTag."""
    etag = f'"{{{item_id}}},{version}"'
    return DriveItem(item_id, DRIVE, parent, name, kind, 1, etag, etag, AT, AT)


def p(path: str) -> DavPath:
    """A path."""
    return DavPath.parse(path)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock, tmp_path: Path) -> Mirror:
    """A mirror that knows nothing but its root."""
    mirror = Mirror(Mirrors(tmp_path, clock).open("contoso", DRIVE), ROOT)
    mirror.learn(item("root-id", "root", "", kind="folder"), mirror.now())
    return mirror


def listed(cache: Mirror, folder: str, *items: DriveItem) -> list[DriveItem]:
    """Read a whole listing through the cache."""
    return list(cache.listing(key_of(DRIVE, folder), items, cache.now()))


def found(cache: Mirror, path: str) -> str | None:
    """The id at a path as far as it is known."""
    place = cache.locate(p(path))
    return place.key[1] if place.depth == len(p(path).names) else None


def test_listing_makes_a_folder_complete(cache: Mirror) -> None:
    """After a listing its names are known, and so is the absence of others."""
    listed(cache, "root-id", item("1", "Ä.txt"), item("2", "d", kind="folder"))
    assert found(cache, "/a\u0308.TXT") == "1"
    assert cache.is_absent(p("/b.txt"))
    assert not cache.is_absent(p("/d/x"))
    assert cache.locate(p("/d/x/y")).key == key_of(DRIVE, "2")


def test_listing_read_in_part_says_nothing_of_the_rest(cache: Mirror) -> None:
    """Absence follows from a whole listing only."""
    next(cache.listing(ROOT, [item("1", "a"), item("2", "b")], cache.now()))
    assert found(cache, "/a") == "1"
    assert not cache.is_absent(p("/b"))
    assert cache.children(ROOT) is None


def test_everything_ends(cache: Mirror, clock: ManualClock) -> None:
    """After the TTL nothing is known any more."""
    listed(cache, "root-id", item("1", "a"))
    cache.learn_alias(p("/x/y"), item("2", "y", "x-id"))
    cache.learn_absent(p("/z"))
    clock.advance(16)
    assert cache.children(ROOT) is None
    assert found(cache, "/a") is None
    assert found(cache, "/x/y") is None
    assert not cache.is_absent(p("/z"))


def test_age_counts_from_the_request(cache: Mirror, clock: ManualClock) -> None:
    """A slow answer is old news when it comes."""
    since = cache.now()
    clock.advance(20)
    cache.learn(item("1", "a"), since)
    assert found(cache, "/a") is None


def test_alias_tells_the_folder_too(cache: Mirror) -> None:
    """A look-up by path makes the item and its folder known, without those above."""
    child = item("c", "c.txt", "b-id")
    cache.learn(child, cache.now())
    cache.learn_alias(p("/a/b/c.txt"), child)
    assert found(cache, "/a/b") == "b-id"
    assert found(cache, "/a/b/c.txt") == "c"
    assert found(cache, "/a") is None


def test_own_write_wins_over_an_older_listing(cache: Mirror) -> None:
    """A listing that began before our write does not overwrite it."""
    since = cache.now() - 1
    cache.wrote(item("1", "a", version=2))
    shown = list(cache.listing(ROOT, [item("1", "a", version=9)], since))
    assert [one.etag for one in shown] == ['"{1},2"']


def test_lag_is_fenced(cache: Mirror, clock: ManualClock) -> None:
    """For a minute an older version in later news is not believed; a newer one is."""
    cache.wrote(item("1", "a", version=5))
    clock.advance(20)
    assert listed(cache, "root-id", item("1", "a", version=4))[0].etag == '"{1},5"'
    assert listed(cache, "root-id", item("1", "a", version=6))[0].etag == '"{1},6"'
    clock.advance(60)
    assert listed(cache, "root-id", item("1", "a", version=4))[0].etag == '"{1},4"'


def test_missing_in_a_listing(cache: Mirror, clock: ManualClock) -> None:
    """What we created is added to listings that miss it, for a minute."""
    cache.wrote(item("1", "a"))
    clock.advance(20)
    assert [one.id for one in listed(cache, "root-id")] == ["1"]
    assert found(cache, "/a") == "1"
    clock.advance(61)
    assert listed(cache, "root-id") == []
    assert cache.is_absent(p("/a"))


def test_deleted_stays_deleted(cache: Mirror, clock: ManualClock) -> None:
    """What we deleted is left out of listings for a minute; another item of the name is not."""
    cache.wrote(item("1", "a"))
    cache.removed(item("1", "a"))
    assert listed(cache, "root-id", item("1", "a")) == []
    assert [one.id for one in listed(cache, "root-id", item("2", "a"))] == ["2"]
    clock.advance(61)
    assert [one.id for one in listed(cache, "root-id", item("1", "a"))] == ["1"]


def test_moved_away_stays_away(cache: Mirror) -> None:
    """A lagging listing of the old folder does not show what we moved out of it."""
    listed(cache, "root-id", item("d", "d", kind="folder"), item("1", "a"))
    cache.wrote(item("1", "b", "d", version=2))
    assert [one.id for one in listed(cache, "root-id", item("d", "d", kind="folder"), item("1", "a"))] == ["d"]
    assert found(cache, "/d/b") == "1"
    assert cache.is_absent(p("/a"))


def test_moved_folder_keeps_its_subtree(cache: Mirror) -> None:
    """Children are indexed by their folder's id: a rename makes nothing unknown, and the old path ends."""
    listed(cache, "root-id", item("d", "d", kind="folder"))
    listed(cache, "d", item("1", "a", "d"))
    cache.learn_alias(p("/d/a"), item("1", "a", "d"))
    cache.wrote(item("d", "e", kind="folder", version=2))
    assert found(cache, "/e/a") == "1"
    assert cache.is_absent(p("/d/a"))
    assert found(cache, "/d/a") is None


def test_change_during_a_listing(cache: Mirror) -> None:
    """An item that we delete while its folder is listed is not kept as its child."""
    listing = cache.listing(ROOT, [item("1", "a"), item("2", "b")], cache.now())
    next(listing)
    cache.removed(item("1", "a"))
    assert [one.id for one in listing] == ["2"]
    assert cache.is_absent(p("/a"))


def test_repeated_item(cache: Mirror) -> None:
    """Pages that repeat an item show it once."""
    assert len(listed(cache, "root-id", item("1", "a"), item("1", "a"))) == 1


def test_creation_ends_absence(cache: Mirror) -> None:
    """A name that was looked for in vain is found once we made it."""
    cache.learn_absent(p("/a"))
    assert cache.is_absent(p("/a"))
    cache.wrote(item("1", "a"))
    assert found(cache, "/a") == "1"


def test_an_absence_that_is_older_than_a_write(cache: Mirror) -> None:
    """A look-up that began before our write, and is told of after it, does not take away what was written."""
    since = cache.now() - 0.001
    cache.wrote(item("1", "a"))
    cache.learn_absent(p("/a"), since)
    assert found(cache, "/a") == "1"
    cache.learn_absent(p("/a"), cache.now() + 0.001)
    assert cache.is_absent(p("/a"))


def test_expected_item_must_be_read(cache: Mirror) -> None:
    """A copy's result is known by its id only."""
    cache.expect(item("1", "a"))
    assert found(cache, "/a") is None
    known = cache.fenced(ROOT, "A")
    assert known is not None
    assert known.id == "1"


def test_shortcut_leads_to_its_target(cache: Mirror) -> None:
    """Below a shortcut lies the other drive's folder."""
    shortcut = replace(item("s", "s", kind="folder"), remote=ItemRef("b!Other", "t"))
    listed(cache, "root-id", shortcut)
    assert cache.locate(p("/s/x")).key == ("b!Other", "t")


def test_urls_end(cache: Mirror, clock: ManualClock) -> None:
    """A download URL is kept for four minutes; the mirror keeps none itself."""
    urls = DownloadUrls(clock)
    with_url = replace(item("1", "a"), download_url=Secret("https://content.invalid/"))
    cache.learn(with_url, cache.now())
    place = cache.locate(p("/a"))
    assert place.item is not None
    assert place.item.download_url is None
    urls.keep(own_key(with_url), with_url)
    assert urls.get(own_key(with_url)) is not None
    clock.advance(241)
    assert urls.get(own_key(with_url)) is None


def test_drive_ids_of_personal_accounts() -> None:
    """Case and a lost leading zero do not make another drive; SharePoint's ids are taken as they are."""
    assert key_of("0ABCDEF123456789", "x") == key_of("abcdef123456789", "x")
    assert key_of("b!aB", "x") != key_of("b!Ab", "x")


@pytest.mark.parametrize(
    ("etag", "version"),
    [
        ('"{D4648F06-C91D-9D3D},12"', 12),
        ("aRDQ2NDhGMDZDOTFEOUQzRCE1NDkyNy4w", 0),
        ("W/x", None),
        ("a***", None),
        ("", None),
    ],
)
def test_versions(etag: str, version: int | None) -> None:
    """Both kinds of eTag count; others say nothing."""
    assert version_of(etag) == version


def test_what_cannot_be_compared_is_older() -> None:
    """In doubt our own write is believed."""
    assert is_older(replace(item("1", "a"), etag="x"), item("1", "a"))
    assert not is_older(item("1", "a"), item("1", "a"))


def test_deleted_without_being_known_any_more(cache: Mirror, clock: ManualClock) -> None:
    """What we wrote and, when all was forgotten but the fence, deleted by its path is not added to listings."""
    cache.wrote(item("d", "d", kind="folder"))
    cache.wrote(item("1", "a", "d"))
    clock.advance(17)
    cache.removed_path(p("/d/a"))
    assert listed(cache, "d") == []
    assert listed(cache, "d", item("1", "a", "d")) == []
