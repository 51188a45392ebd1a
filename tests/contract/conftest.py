"""One emulator for all contract tests of a process; each test gets empty drives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from davbridge.emulator import Emulator
from davbridge.graph.client import Graph
from tests.contract.places import graph_of


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """The emulator itself."""
    with Emulator.start() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """The emulator with empty drives, copying at once."""
    running_emulator.reset()
    running_emulator.quirks.copy_seconds = 0.0
    return running_emulator


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client of it."""
    with graph_of(emulator) as graph:
        yield graph
