"""From the accounts of the configuration to Graph as each of them sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from davbridge.accounts import settings, token_store
from davbridge.clock import Clock
from davbridge.config import Account, Config
from davbridge.graph import Graph
from davbridge.graph.readahead import ReadAhead
from davbridge.parts.ground import Ground
from davbridge.push import PushChannel, SubscriptionTable, WebhookSettings, is_public, open_channel
from davbridge.tokens import SignedInAccount, open_account
from davbridge.transport import Gates, HostRules, StoredGates, Transport


@dataclass(frozen=True)
class Microsoft:
    """By the accounts' names."""

    accounts: dict[str, SignedInAccount]
    graphs: dict[str, Graph]

    @classmethod
    def open(cls, config: Config, ground: Ground) -> Microsoft:
        """Nothing is sent."""
        clock = ground.clock
        store = token_store(config, ground.folder, clock)
        accounts = {name: open_account(settings(config, name), store, clock) for name in config.accounts}
        graphs = {
            name: open_graph(one, accounts[name], clock, StoredGates(ground.database, name, clock), ground.ahead)
            for name, one in config.accounts.items()
        }
        return cls(accounts, graphs)


def open_graph(
    account: Account, tokens: SignedInAccount, clock: Clock, gates: Gates | None = None, ahead: ReadAhead | None = None
) -> Graph:
    """Graph with the sign-in `tokens`. Nothing is sent; whoever opens it closes its `transport`."""
    base = account.where.graph_base
    transport = Transport(clock, hosts=HostRules(base), verify=account.where.verify, gates=gates)
    return Graph(transport, tokens, base, clock, ahead)


def channels(config: Config, ground: Ground) -> Callable[[str, Graph, str, Path], PushChannel]:
    """What hears of a drive's changes at once, by the account's name, the drive's id and the mirror's file."""
    proxy = config.server.behind_proxy
    public_url = proxy.public_url if proxy and is_public(proxy.public_url) else None

    def make(account: str, graph: Graph, drive_id: str, mirror: Path) -> PushChannel:
        cloud = config.accounts[account].where
        table = SubscriptionTable(ground.database)
        webhook = WebhookSettings(public_url, mirror.stem, table) if public_url else None
        return open_channel(graph, drive_id, verify=cloud.verify, clock=ground.clock, webhook=webhook)

    return make
