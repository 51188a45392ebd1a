"""The overlay's promises: what a client was told to be there stays there when something else fails or goes on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from davbridge.body import Body
from davbridge.clock import ManualClock
from davbridge.drivers import sidestore
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.overlay import Overlay
from davbridge.errors import BodyTruncated, NotFound, PreconditionFailed
from davbridge.store.database import Database
from tests.contract.places import names, p, put, read


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def drive(clock: ManualClock) -> MemoryDriver:
    """What lies below."""
    return MemoryDriver(clock)


@pytest.fixture
def overlay(drive: MemoryDriver, clock: ManualClock, tmp_path: Path) -> Overlay:
    """An overlay without locks."""
    return Overlay(drive, Database.open(tmp_path / "state", sidestore.SCHEMA), "me", clock, lambda path: False)


@pytest.mark.parametrize("operation", ["move", "copy"])
@pytest.mark.parametrize("target", ["/taken.txt", "/._side"])
def test_failed_move_onto_a_reserved_name(overlay: Overlay, operation: str, target: str) -> None:
    """A name that was reserved, or a side file, is still there when a MOVE or COPY onto it fails."""
    view = overlay.for_user("alice")
    view.reserve(p(target))
    with pytest.raises(NotFound):
        getattr(view, operation)(p("/missing.txt"), p(target), replace=True)
    assert view.stat(p(target)).size == 0
    put(view, "/there.txt", b"there")
    getattr(view, operation)(p("/there.txt"), p(target), replace=True)
    assert read(view, target) == b"there"


def test_folder_in_another_spelling(overlay: Overlay) -> None:
    """A case-only rename of a folder keeps the side files and the reserved names in it."""
    view = overlay.for_user("alice")
    view.make_folder(p("/docs"))
    put(view, "/docs/._a", b"side")
    view.reserve(p("/docs/new.txt"))
    view.move(p("/docs"), p("/Docs"), replace=False)
    assert names(view, "/Docs") == {"._a", "new.txt"}
    assert read(view, "/Docs/._a") == b"side"


def test_content_that_takes_its_time(overlay: Overlay, drive: MemoryDriver, clock: ManualClock) -> None:
    """A reserved name whose content is on its way is not made an empty file meanwhile; after a failure it is."""
    view = overlay.for_user("alice")

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            clock.advance(31)
            overlay.settle_due()
            assert list(drive.children(p("/"))[1]) == []
            return super().read(size)

    view.reserve(p("/a.txt"))
    with pytest.raises(BodyTruncated):
        view.put(p("/a.txt"), Body(Slow(b"conte"), 7))
    view.put(p("/a.txt"), Body(Slow(b"content"), 7))
    assert read(view, "/a.txt") == b"content"
    view.reserve(p("/b.txt"))
    with pytest.raises(BodyTruncated):
        view.put(p("/b.txt"), Body(io.BytesIO(b"conte"), 7))
    clock.advance(31)
    overlay.settle_due()
    assert read(drive, "/b.txt") == b""


def test_content_that_comes_while_the_name_is_settled(overlay: Overlay, drive: MemoryDriver) -> None:
    """An empty file that `settle` made a moment ago is filled; a file of somebody else's is not overwritten."""
    view = overlay.for_user("alice")
    view.reserve(p("/a.txt"))
    put(drive, "/a.txt", b"")  # what settle does first; it removes the reservation after
    assert not put(view, "/a.txt", b"content").created
    assert read(view, "/a.txt") == b"content"
    view.reserve(p("/b.txt"))
    put(drive, "/b.txt", b"another's")
    with pytest.raises(PreconditionFailed):
        put(view, "/b.txt", b"content")
    assert read(drive, "/b.txt") == b"another's"


def test_a_settled_name_is_filled_by_the_tag_it_had(overlay: Overlay, drive: MemoryDriver, clock: ManualClock) -> None:
    """A client that was told the placeholder's tag may still store into the empty file, and into nothing newer."""
    view = overlay.for_user("alice")
    view.make_folder(p("/d"))
    tag = view.reserve(p("/d/a.txt")).etag
    view.move(p("/d"), p("/e"), replace=False)
    clock.advance(40)
    overlay.settle_due()
    assert read(drive, "/e/a.txt") == b""
    put(view, "/e/a.txt", b"content", if_match=tag)
    assert read(drive, "/e/a.txt") == b"content"
    with pytest.raises(PreconditionFailed):
        put(view, "/e/a.txt", b"other", if_match=tag)
