"""One emulator for the folder, a Graph client of it, and channels that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.edge import make_server
from davbridge.emulator import Emulator
from davbridge.graph import Graph
from davbridge.push import NotifyEndpoint, SubscriptionTable
from davbridge.store.database import Database
from tests.contract.places import graph_of
from tests.push.harness import Listen, listeners
from tests.push.hook import Hook, beyond


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """The emulator itself."""
    with Emulator.start() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """It, emptied; in the end no token has gone where none may go."""
    running_emulator.reset()
    running_emulator.world.tickets.clear()
    yield running_emulator
    assert not running_emulator.calls.leaks
    assert not running_emulator.faults.pending


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client of it."""
    with graph_of(emulator) as graph:
        yield graph


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Starts channels, and ends them."""
    with listeners() as listen:
        yield listen


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SubscriptionTable]:
    """An empty table in a state file."""
    made = SubscriptionTable(Database.open(tmp_path / "state.sqlite", SubscriptionTable.SCHEMA))
    yield made
    made.close()


@pytest.fixture
def hook(table: SubscriptionTable) -> Iterator[Hook]:
    """The endpoint on the bridge's own server, with nothing but a refusal behind it."""
    told: list[str] = []
    hook = Hook("", told, [])
    endpoint = NotifyEndpoint(beyond, table, hook.changed)
    server = make_server(endpoint, ["127.0.0.1:0"])
    server.start()
    hook.url = f"http://{server.addresses[0]}"
    yield hook
    server.drain(5)
