"""The drivers' small parts: hash, entity tag, table of uploads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.clock import ManualClock
from davbridge.drivers.items import Shown, etag_of, is_shown, to_item
from davbridge.drivers.protocol import Kind
from davbridge.drivers.uploads import MemoryUploads, Uploads, UploadsTable
from davbridge.emulator.hashes import quick_xor
from davbridge.graph.model import DriveItem
from davbridge.graph.quickxor import quick_xor_hash
from davbridge.store.database import Database

AT = datetime(2026, 1, 1, 1, 1, 1, 999, tzinfo=UTC)
FILE = DriveItem("1", "b!d", "0", "a.txt", "file", 3, "e1", "c1", AT, AT, mime_type="text/plain")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (b"J", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
        (b"The quick brown fox jumps over the lazy dog", "bMSlbysmxJL6S75XwfMcQZOpcr4="),
        (b"a" * 1000, "cIADHOAABzjAAQ5waAAcgQhEIAI="),
    ],
)
def test_quick_xor_hash(data: bytes, expected: str) -> None:
    """The published vectors come out."""
    assert quick_xor_hash(data) == expected


@given(st.binary(max_size=2000))
def test_quick_xor_hash_is_the_service_s(data: bytes) -> None:
    """Two independent implementations agree."""
    assert quick_xor_hash(data) == quick_xor([data])


def test_etag_follows_the_content() -> None:
    """The entity tag changes with the cTag and the id, not with the eTag, and needs no quoting."""
    assert etag_of(FILE) == etag_of(replace(FILE, etag="e2", name="b"))
    assert len({etag_of(FILE), etag_of(replace(FILE, ctag="c2")), etag_of(replace(FILE, id="2"))}) == 3
    assert etag_of(replace(FILE, ctag="")) != etag_of(replace(FILE, ctag="", etag="e2"))
    assert etag_of(FILE).isalnum()


def test_views() -> None:
    """Files have a size and a tag; folders and notebooks have neither; what is neither is not shown."""
    shown = to_item(FILE)
    assert (shown.kind, shown.size, shown.modified.microsecond, shown.content_type) == (Kind.FILE, 3, 0, "text/plain")
    assert to_item(replace(FILE, mime_type="")).content_type == "application/octet-stream"
    for kind in ("folder", "package"):
        view = to_item(replace(FILE, kind=kind))
        assert (view.is_folder, view.etag, view.size, view.content_type) == (True, "", 0, "")
    assert not is_shown(replace(FILE, kind="other"))
    assert not is_shown(replace(FILE, deleted=True))


def test_what_is_shown_is_made_once_an_object() -> None:
    """The same object gives the same item; another one its own, however many there were, and wherever they were."""
    shown = Shown()
    assert shown(FILE) is shown(FILE)
    for number in range(3000):
        assert shown(replace(FILE, size=number)).size == number
    assert shown(FILE) == to_item(FILE)
    assert len(shown._kept) <= 1024


@pytest.fixture(params=["memory", "table"])
def uploads(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Uploads:
    """Both kinds."""
    if request.param == "memory":
        return MemoryUploads(clock)
    return UploadsTable(Database.open(tmp_path / "state.db", UploadsTable.SCHEMA), clock)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


def test_uploads(uploads: Uploads, clock: ManualClock) -> None:
    """An upload is fresh for ten minutes, or until it is forgotten."""
    assert not uploads.is_fresh("1")
    uploads.record("1")
    clock.advance(599)
    uploads.record("2")
    assert uploads.is_fresh("1")
    clock.advance(2)
    assert not uploads.is_fresh("1")
    assert uploads.is_fresh("2")
    uploads.record("3")
    uploads.forget("2")
    assert not uploads.is_fresh("2")


def test_uploads_are_shared(tmp_path: Path, clock: ManualClock) -> None:
    """Another process sees them through the state file."""
    one, two = (UploadsTable(Database.open(tmp_path / "s.db", UploadsTable.SCHEMA), clock) for _ in "12")
    one.record("1")
    assert two.is_fresh("1")
