"""The page's file, with a clock in the hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.page.beat import Beat
from davbridge.page.file import open_file
from davbridge.store.database import Database


class StillBeat(Beat):
    """One whose thread never starts: the tests call `once`. `wakes` counts."""

    wakes = 0

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty file."""
    opened = open_file(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def beat() -> StillBeat:
    """To be called by hand."""
    return StillBeat(lambda: None)
