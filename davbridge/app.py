"""Composition: from a configuration to a bridge that can be started. Everything is put together here and only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from davbridge.accounts import settings, token_store
from davbridge.auth import Gate
from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.config import Account, Config, Policy
from davbridge.dav import deadprops, followers, locks
from davbridge.dav.application import make_application
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.locks import LockTable
from davbridge.dav.message import Mount, Shared
from davbridge.drivers import sidestore
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.onedrive import OneDrive
from davbridge.drivers.overlay import Overlay
from davbridge.drivers.sharepoint import SharePoint
from davbridge.drivers.uploads import UploadsTable
from davbridge.edge import EdgeServer, Limits, Tls, make_server
from davbridge.edge.accesslog import AccessLog
from davbridge.edge.forwarded import Forwarded
from davbridge.edge.metrics import MetricsPage
from davbridge.errors import ConfigError
from davbridge.figures import figures
from davbridge.graph import Graph
from davbridge.graph.readahead import ReadAhead
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.pollers import Pollers
from davbridge.paths import DavPath
from davbridge.push import (
    NotifyEndpoint,
    PushChannel,
    SubscriptionTable,
    WebhookSettings,
    is_public,
    open_channel,
)
from davbridge.store.database import Database
from davbridge.tokens import SignedInAccount, Upkeep, open_account
from davbridge.transport import Gates, HostRules, StoredGates, Transport, storedgates

READ_AHEAD_MEMORY = 96 << 20
"""Bytes that all downloads of all workers may have fetched before their clients take them."""


@dataclass
class Bridge:
    """A composed bridge. `drivers` and `accounts` by the names of the configuration."""

    application: Any
    server: EdgeServer
    drivers: dict[str, GraphDriver]
    overlays: list[Overlay]
    accounts: dict[str, SignedInAccount]
    transports: list[Transport]
    database: Database
    mirrors: Mirrors
    pollers: Pollers
    upkeep: list[Upkeep]
    ahead: ReadAhead

    def settle(self) -> None:
        """The work that comes with time: reserved names become files, sign-ins are kept alive.

        To be called every few seconds.
        """
        for account in self.upkeep:
            account.look()
        for overlay in self.overlays:
            overlay.settle_due()

    def close(self) -> None:
        """Let go of connections and files."""
        self.pollers.stop()
        self.ahead.close()
        for transport in self.transports:
            transport.close()
        for account in self.accounts.values():
            account.close()
        self.mirrors.close()
        self.database.close()


def build(config: Config, clock: Clock, limits: Limits | None = None) -> Bridge:
    """Put a bridge together. Nothing is sent and nothing listens yet.

    Raises:
        ConfigError: the state folder cannot be used, a certificate cannot be read, an address is malformed.
    """
    folder = state_folder(config)
    database = open_database(folder)
    store = token_store(config, folder, clock)
    accounts = {name: open_account(settings(config, name), store, clock) for name in config.accounts}
    ahead = ReadAhead(READ_AHEAD_MEMORY // config.server.workers)
    graphs = {
        name: _graph(one, accounts[name], StoredGates(database, name, clock), clock, ahead)
        for name, one in config.accounts.items()
    }
    table = LockTable(database, clock)
    uploads = UploadsTable(database, clock)
    parts = DriverParts(
        Mirrors(folder / "mirror", clock),
        Pollers(clock),
        uploads,
        clock,
        _channels(config, database, clock),
        folder / "content",
    )
    drivers = {name: make_driver(name, one, graphs[one.account], parts) for name, one in config.policies.items()}
    overlays = {
        name: Overlay(driver, database, name, clock, _locked(table, name, config.policies[name].access))
        for name, driver in drivers.items()
    }
    mounts = [
        Mount(name, policy.mount, overlays[name], policy.access, policy.download)
        for name, policy in config.policies.items()
    ]
    shared = Shared(
        table,
        DeadProperties(database),
        clock,
        _hosts(config),
        spool_folder=str(folder / "spool"),
        infinite_depth=config.server.infinite_depth,
        followers=followers.Followers(database, clock),
    )
    application: Any = make_application(mounts, shared)
    passwords = {name: user.password for name, user in config.users.items()}
    application = Gate(application, passwords, clock, config.server.workers)
    if (proxy := config.server.behind_proxy) and is_public(proxy.public_url):
        application = NotifyEndpoint(application, SubscriptionTable(database), _poke(folder / "mirror"))
    if proxy:
        application = Forwarded(application, proxy.trusted)
    application = AccessLog(application, clock)
    tls = config.server.tls
    metrics = config.server.metrics
    server = make_server(
        application,
        config.server.listen,
        Tls(str(tls.certificate), str(tls.key)) if tls else None,
        limits,
        [(metrics, MetricsPage(lambda: figures(drivers)))] if metrics else [],
    )
    transports = [graph.transport for graph in graphs.values()]
    return Bridge(
        application,
        server,
        drivers,
        list(overlays.values()),
        accounts,
        transports,
        database,
        parts.mirrors,
        parts.pollers,
        [Upkeep(account) for account in accounts.values()],
        ahead,
    )


def state_folder(config: Config) -> Path:
    """The state folder, made when it is missing, closed to others.

    Raises:
        ConfigError.
    """
    folder = config.state.folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "spool").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the state folder {folder} cannot be used: {error.strerror}") from None
    return folder


def open_database(folder: Path) -> Database:
    """The state file: locks, dead properties, side files, recent uploads, pauses, webhooks."""
    tables = (
        locks.SCHEMA,
        deadprops.SCHEMA,
        followers.SCHEMA,
        sidestore.SCHEMA,
        UploadsTable.SCHEMA,
        storedgates.SCHEMA,
    )
    schema = (*chain.from_iterable(tables), *SubscriptionTable.SCHEMA)
    return Database.open(folder / "state.sqlite", schema)


def _graph(account: Account, tokens: SignedInAccount, gates: Gates, clock: Clock, ahead: ReadAhead) -> Graph:
    cloud = account.where
    base = cloud.graph_base
    verify = str(cloud.ca_file) if cloud.ca_file else True
    transport = Transport(clock, hosts=HostRules(base), verify=verify, gates=gates)
    return Graph(transport, tokens, base, clock, ahead)


@dataclass(frozen=True)
class DriverParts:
    """What all drivers of a bridge share."""

    mirrors: Mirrors
    pollers: Pollers
    uploads: UploadsTable
    clock: Clock
    channel: Callable[[str, Graph, str, Path], PushChannel]
    """What hears of a drive's changes at once, by the account's name, the drive's id and the mirror's file."""
    contents: Path | None = None
    """Where contents are kept, in a folder for each policy that wants it; None: nowhere."""


def make_driver(name: str, policy: Policy, graph: Graph, parts: DriverParts) -> GraphDriver:
    """The driver of a policy; it looks its drive up with the first request."""

    def watch(graph: Graph, drive_id: str, file: MirrorFile) -> Callable[[], None]:
        def channel() -> PushChannel:
            return parts.channel(policy.account, graph, drive_id, file.path)

        return parts.pollers.watch(graph, drive_id, file, name, policy.poll, channel if policy.push else None)

    shared: dict[str, Any] = {
        "root": policy.root,
        "clock": parts.clock,
        "mirrors": parts.mirrors,
        "account": policy.account,
        "watch": watch,
        "uploads": parts.uploads,
        "contents": ContentCache.open(parts.contents / name, policy.cache, parts.clock)
        if parts.contents and policy.cache
        else None,
    }
    if policy.driver == "onedrive":
        return OneDrive.open(graph, user=policy.user, **shared)
    return SharePoint.open(graph, site=policy.site or "", library=policy.library, drive_id=policy.drive_id, **shared)


def _poke(folder: Path) -> Callable[[str], None]:
    """Touches the file that the drive's poller looks at, in whatever process it is."""

    def touch(name: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{name}.poke").touch(mode=0o600)

    return touch


def _channels(config: Config, database: Database, clock: Clock) -> Callable[[str, Graph, str, Path], PushChannel]:
    proxy = config.server.behind_proxy
    public_url = proxy.public_url if proxy and is_public(proxy.public_url) else None

    def make(account: str, graph: Graph, drive_id: str, mirror: Path) -> PushChannel:
        cloud = config.accounts[account].where
        table = SubscriptionTable(database)
        webhook = WebhookSettings(public_url, mirror.stem, table) if public_url else None
        verify = str(cloud.ca_file) if cloud.ca_file else True
        return open_channel(graph, drive_id, verify=verify, clock=clock, webhook=webhook)

    return make


def _locked(table: LockTable, policy: str, access: Mapping[str, str]) -> Callable[[DavPath], bool]:
    return lambda path: any(access.get(lock.user) == "write" for lock in table.covering(policy, path))


def _hosts(config: Config) -> frozenset[str]:
    proxy = config.server.behind_proxy
    name = urlsplit(proxy.public_url).hostname if proxy and proxy.public_url else None
    return frozenset({name.lower()} if name else ())
