"""The contract, run by every driver there is."""

from __future__ import annotations

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.protocol import Driver
from davbridge.emulator import Emulator
from davbridge.graph.client import Graph
from tests.contract.driver_contract import DriverContract
from tests.contract.places import driver_of


class TestMemory(DriverContract):
    """The oracle."""

    @pytest.fixture
    def driver(self) -> Driver:
        """An empty one."""
        return MemoryDriver(ManualClock())


class _OverGraph(DriverContract):
    kind = ""

    @pytest.fixture
    def driver(self, emulator: Emulator, graph: Graph) -> Driver:
        """An empty drive of this kind."""
        return driver_of(self.kind, emulator, graph)


class TestBusiness(_OverGraph):
    """OneDrive for work or school."""

    kind = "business"


class TestPersonal(_OverGraph):
    """A consumer's OneDrive on the classic service."""

    kind = "personal"


class TestMigrated(_OverGraph):
    """A consumer's OneDrive on SharePoint's service."""

    kind = "migrated"


class TestSharePoint(_OverGraph):
    """A document library."""

    kind = "sharepoint"
