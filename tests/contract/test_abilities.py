"""The contracts of the abilities, run by every driver that has them."""

from __future__ import annotations

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.protocol import Driver
from tests.contract.searching_contract import SearchingContract
from tests.contract.tracking_contract import TrackingContract


class TestMemoryTracks(TrackingContract):
    """The oracle tells changes."""

    @pytest.fixture
    def driver(self) -> Driver:
        """An empty one."""
        return MemoryDriver(ManualClock())


class TestMemorySearches(SearchingContract):
    """The oracle searches."""

    @pytest.fixture
    def driver(self) -> Driver:
        """An empty one."""
        return MemoryDriver(ManualClock())
