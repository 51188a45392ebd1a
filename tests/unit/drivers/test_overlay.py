"""The overlay's promises: what a client was told to be there stays there when something else fails or goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers import sidestore
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.overlay import Overlay
from davbridge.errors import NotFound
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
