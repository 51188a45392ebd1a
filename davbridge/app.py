"""Composition: from a configuration to a bridge that can be started. Everything is put together here and only here.

A bridge belongs to one configuration. What outlives it is handed on: the ground (`parts.ground`), and the front, which
is the listeners and what they serve at the moment. The parts are made in `parts`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from davbridge.auth import Gate
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.dav.application import make_application
from davbridge.dav.message import Mount, Shared
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.overlay import Overlay
from davbridge.edge import EdgeServer, Leaving, Limits, Switch, Tls, make_server, tls_context
from davbridge.edge.accesslog import AccessLog
from davbridge.edge.forwarded import Forwarded
from davbridge.edge.metrics import MetricsPage
from davbridge.figures import figures
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.pollers import Pollers
from davbridge.parts.ground import Ground, open_database, state_folder
from davbridge.parts.microsoft import Microsoft, channels
from davbridge.parts.policies import DriverParts, locked, make_driver
from davbridge.parts.trees import state_name, tree_of
from davbridge.push import NotifyEndpoint, SubscriptionTable, is_public
from davbridge.store.database import Database
from davbridge.tokens import SignedInAccount, Upkeep
from davbridge.transport import Transport

__all__ = ["Bridge", "build", "open_database", "state_folder"]


@dataclass(frozen=True)
class Front:
    """The listeners, and what they serve at the moment."""

    server: EdgeServer
    main: Switch
    metrics: Switch


@dataclass
class Bridge:
    """A composed bridge. `drivers` and `accounts` by the names of the configuration."""

    config: Config
    ground: Ground
    front: Front
    application: Any
    metrics: Any
    gate: Gate
    drivers: dict[str, GraphDriver]
    overlays: list[Overlay]
    accounts: dict[str, SignedInAccount]
    transports: list[Transport]
    pollers: Pollers
    upkeep: list[Upkeep]
    certificate: ssl.SSLContext | None = None
    """What is to be shown from the take-over on; None: as before."""

    @property
    def server(self) -> EdgeServer:
        return self.front.server

    @property
    def database(self) -> Database:
        return self.ground.database

    @property
    def mirrors(self) -> Mirrors:
        return self.ground.mirrors

    def settle(self) -> None:
        """The work that comes with time: reserved names become files, sign-ins are kept alive.

        To be called every few seconds.
        """
        for account in self.upkeep:
            account.look()
        for overlay in self.overlays:
            overlay.settle_due()

    def successor(self, config: Config) -> Bridge:
        """The bridge for another configuration, behind the same listeners; nothing is served from it yet.

        What was found of a tree that is the same is known to it.

        Raises:
            ConfigError: as `build`.
        """
        bridge = _compose(config, self.ground, self.front, self)
        try:
            bridge.certificate = tls_context(tls) if (tls := _tls(config)) else None
        except BaseException:
            bridge.leave()
            raise
        return bridge

    def take_over(self, former: Bridge) -> Leaving:
        """Serve all new requests, in the place of `former`; the others stay with it until they end."""
        if self.certificate is not None:
            self.server.renew(self.certificate)
        self.front.metrics.to(self.metrics)
        leaving = self.front.main.to(self.application)
        if former.pollers.running:
            self.pollers.start()
        return leaving

    def leave(self) -> None:
        """Let go of what no other bridge has."""
        self.pollers.stop()
        for transport in self.transports:
            transport.close()
        for account in self.accounts.values():
            account.close()

    def close(self) -> None:
        """Let go of connections and files."""
        self.leave()
        self.ground.close()


def build(config: Config, clock: Clock, limits: Limits | None = None) -> Bridge:
    """Put a bridge together. Nothing is sent and nothing listens yet.

    Raises:
        ConfigError: the state folder cannot be used, a certificate cannot be read, an address is malformed.
    """
    main, metrics = Switch(_nothing), Switch(_nothing)
    beside = config.server.metrics
    server = make_server(main, config.server.listen, _tls(config), limits, [(beside, metrics)] if beside else [])
    bridge = _compose(config, Ground.open(config, clock), Front(server, main, metrics))
    main.to(bridge.application)
    metrics.to(bridge.metrics)
    return bridge


def _compose(config: Config, ground: Ground, front: Front, former: Bridge | None = None) -> Bridge:
    clock, database = ground.clock, ground.database
    microsoft = Microsoft.open(config, ground)
    accounts, graphs = microsoft.accounts, microsoft.graphs
    parts = DriverParts(ground, Pollers(clock), channels(config, ground))
    drivers = {name: make_driver(name, one, graphs[one.account], parts) for name, one in config.policies.items()}
    if former is not None:
        _follow(config, drivers, former)
    names = {name: state_name(database, name, tree_of(policy)) for name, policy in config.policies.items()}
    overlays = {
        name: Overlay(
            driver, database, names[name], clock, locked(ground.locks, names[name], config.policies[name].access)
        )
        for name, driver in drivers.items()
    }
    mounts = [
        Mount(names[name], policy.mount, overlays[name], policy.access, policy.download)
        for name, policy in config.policies.items()
    ]
    shared = Shared(
        ground.locks,
        ground.deadprops,
        clock,
        _hosts(config),
        spool_folder=str(ground.folder / "spool"),
        infinite_depth=config.server.infinite_depth,
        prepared=ground.prepared,
    )
    application: Any = make_application(mounts, shared)
    passwords = {name: user.password for name, user in config.users.items()}
    if former is None:
        gate = Gate(application, passwords, clock, config.server.workers)
    else:
        gate = former.gate.renewed(application, passwords)
    application = gate
    if (proxy := config.server.behind_proxy) and is_public(proxy.public_url):
        application = NotifyEndpoint(application, SubscriptionTable(database), _poke(ground.folder / "mirror"))
    if proxy:
        application = Forwarded(application, proxy.trusted)
    application = AccessLog(application, clock)
    return Bridge(
        config,
        ground,
        front,
        application,
        MetricsPage(lambda: figures(drivers, accounts)),
        gate,
        drivers,
        list(overlays.values()),
        accounts,
        [graph.transport for graph in graphs.values()],
        parts.pollers,
        [Upkeep(account) for account in accounts.values()],
    )


def _follow(config: Config, drivers: dict[str, GraphDriver], former: Bridge) -> None:
    """Let drivers know what those before them have found, where tree and account are the same."""
    for name, driver in drivers.items():
        new, old = config.policies[name], former.config.policies.get(name)
        if old is None or tree_of(new) != tree_of(old):
            continue
        if config.accounts[new.account] == former.config.accounts[old.account]:
            driver.follow(former.drivers[name])


def _tls(config: Config) -> Tls | None:
    tls = config.server.tls
    return Tls(str(tls.certificate), str(tls.key)) if tls else None


def _poke(folder: Path) -> Callable[[str], None]:
    """Touches the file that the drive's poller looks at, in whatever process it is."""

    def touch(name: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{name}.poke").touch(mode=0o600)

    return touch


def _hosts(config: Config) -> frozenset[str]:
    proxy = config.server.behind_proxy
    name = urlsplit(proxy.public_url).hostname if proxy and proxy.public_url else None
    return frozenset({name.lower()} if name else ())


def _nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """What listeners serve that nobody has started."""
    start_response("503 Service Unavailable", [("Content-Length", "0")])
    return []
