"""A driver whose mirror is kept by delta rounds that the test starts, over the contract tests' emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from davbridge.drivers.graphdriver import GraphDriver, Place
from davbridge.drivers.roots import find_root
from davbridge.emulator import Emulator
from davbridge.emulator.emulator import DriveState
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.sync import DeltaSync
from tests.contract.conftest import emulator, graph, running_emulator
from tests.contract.places import DRIVES, p

__all__ = ["emulator", "graph", "running_emulator"]


@dataclass
class Mirrored:
    """One drive, a driver on it, and the delta of its mirror. `other` is a second process's driver on the same file."""

    emulator: Emulator
    drive: DriveState
    driver: GraphDriver
    other: GraphDriver
    sync: DeltaSync
    file: MirrorFile

    def round(self) -> int:
        """One delta round."""
        return self.sync.round()

    def calls(self, act: Callable[[], object]) -> list[str]:
        """The Graph calls that `act` takes."""
        with self.emulator.calls.counting() as counted:
            act()
        return counted.operations

    def names(self, path: str = "/") -> set[str]:
        """The names in a folder, as the driver sees it."""
        return {item.name for item in self.driver.children(p(path))[1]}


def mirrored(kind: str, emulator: Emulator, graph: Graph, mirrors: Mirrors, root: str = "/") -> Mirrored:
    """A mirrored drive of one kind."""
    drive = emulator.drive(DRIVES[kind])

    def find() -> Place:
        return find_root(graph, get_drive(graph, drive.id), p(root))

    def driver() -> GraphDriver:
        one = GraphDriver(graph, find, graph.clock, mirrors=mirrors, account="contoso")
        one.probe()
        return one

    file = mirrors.open("contoso", drive.id)
    return Mirrored(emulator, drive, driver(), driver(), DeltaSync(graph, drive.id, file, kind), file)


@pytest.fixture
def mirrors(graph: Graph) -> Mirrors:
    """An empty folder for mirror files."""
    return Mirrors.temporary(graph.clock)


@pytest.fixture(params=list(DRIVES))
def world(request: pytest.FixtureRequest, emulator: Emulator, graph: Graph, mirrors: Mirrors) -> Iterator[Mirrored]:
    """A mirrored drive of each kind."""
    yield mirrored(request.param, emulator, graph, mirrors)
    mirrors.close()
