"""One account's Graph, for commands that ask Microsoft something outside of any policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from davbridge.accounts import settings, token_store
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.graph import Graph
from davbridge.parts.microsoft import open_graph
from davbridge.tokens import open_account

SECONDS = 30.0
"""What one question may take."""


@contextmanager
def graph_of(config: Config, name: str, folder: Path, clock: Clock) -> Iterator[Graph]:
    """Graph as the account `name`, with the sign-in that is in the state folder. Closed after the block."""
    account = open_account(settings(config, name), token_store(config, folder, clock), clock)
    graph = open_graph(config.accounts[name], account, clock)
    try:
        yield graph
    finally:
        graph.transport.close()
        account.close()
