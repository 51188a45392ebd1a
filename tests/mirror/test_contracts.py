"""The contracts of drivers, of following and of searching, where the mirror knows the drive."""

from __future__ import annotations

import pytest

from davbridge.drivers.protocol import Driver
from tests.contract.driver_contract import DriverContract
from tests.contract.searching_contract import SearchingContract
from tests.contract.tracking_contract import TrackingContract
from tests.mirror.conftest import Mirrored


class _Live:
    @pytest.fixture
    def driver(self, world: Mirrored) -> Driver:
        """An empty drive of each kind, enumerated."""
        world.round()
        return world.driver


class TestLive(_Live, DriverContract):
    """Everything a driver does."""


class TestTracks(_Live, TrackingContract):
    """RFC 6578."""


class TestSearches(_Live, SearchingContract):
    """RFC 5323."""
