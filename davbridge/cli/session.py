"""One account, for commands: signing it in, and Graph as it sees it, outside of any policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from davbridge.accounts import WORDS, scopes, settings, token_store
from davbridge.cli.telling import tell
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.graph import Graph
from davbridge.parts.ground import state_folder
from davbridge.parts.microsoft import open_graph
from davbridge.tokens import Visitor, open_account, sign_in

SECONDS = 30.0
"""What one question may take."""


def sign_in_to(config: Config, name: str, clock: Clock, visitor: Visitor, *, replace_account: bool) -> str:
    """Show what the account asks for, and sign it in; who it was. The sign-in is in the state folder.

    Raises: as `tokens.sign_in`.
    """
    for scope in scopes(config, name):
        tell(f"  {scope:20} {WORDS.get(scope, '')}".rstrip())
    tell()
    store = token_store(config, state_folder(config), clock)
    return sign_in(settings(config, name), store, clock, visitor, replace_account=replace_account)


@contextmanager
def graph_of(config: Config, name: str, clock: Clock) -> Iterator[Graph]:
    """Graph as the account `name`, with the sign-in that is in the state folder. Closed after the block."""
    account = open_account(settings(config, name), token_store(config, state_folder(config), clock), clock)
    graph = open_graph(config.accounts[name], account, clock)
    try:
        yield graph
    finally:
        graph.transport.close()
        account.close()
