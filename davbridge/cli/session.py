"""One account's Graph, for commands that ask Microsoft something outside of any policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from davbridge.accounts import settings, token_store
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.graph import Graph
from davbridge.tokens import open_account
from davbridge.transport import HostRules, Transport

SECONDS = 30.0
"""What one question may take."""


@contextmanager
def graph_of(config: Config, name: str, folder: Path, clock: Clock) -> Iterator[Graph]:
    """Graph as the account `name`, with the sign-in that is in the state folder. Closed after the block."""
    where = config.accounts[name].where
    account = open_account(settings(config, name), token_store(config, folder, clock), clock)
    verify = str(where.ca_file) if where.ca_file else True
    transport = Transport(clock, hosts=HostRules(where.graph_base), verify=verify)
    try:
        yield Graph(transport, account, where.graph_base, clock)
    finally:
        transport.close()
        account.close()
