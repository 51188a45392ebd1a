"""Composition: from a configuration to a bridge that can be started. Everything is put together here and only here.

A bridge belongs to one configuration. What outlives it is handed on: the ground (`parts.ground`), and the front, which
is the listeners and what they serve at the moment. The parts are made in `parts`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from davbridge.auth import Gate
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.dav.application import make_application
from davbridge.dav.message import Mount, Shared
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.overlay import Overlay
from davbridge.drivers.recovery import Recovery
from davbridge.edge import EdgeServer, Leaving, Limits, tls_context
from davbridge.edge.accesslog import AccessLog
from davbridge.edge.forwarded import Forwarded
from davbridge.edge.metrics import Gauge, MetricsPage
from davbridge.figures import figures
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.pollers import Pollers
from davbridge.page import StatusPage
from davbridge.parts.front import Front, hosts, poke, tls_files
from davbridge.parts.ground import Ground, open_database, state_folder
from davbridge.parts.microsoft import Microsoft, channels
from davbridge.parts.policies import DriverParts, locked, make_driver
from davbridge.parts.statuspage import status_page
from davbridge.parts.trees import state_name, tree_of
from davbridge.push import NotifyEndpoint, SubscriptionTable, is_public
from davbridge.seeking import Seeker
from davbridge.store.chunks import ChunkStore
from davbridge.store.database import Database
from davbridge.tokens import SignedInAccount, Upkeep
from davbridge.transport import Transport

__all__ = ["Bridge", "build", "open_database", "state_folder"]


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
    recovery: Recovery
    page: StatusPage | None
    chunks: ChunkStore
    people: dict[str, str]
    """Whose sign-in each account had when the bridge was put together: the drives are that person's."""
    same: frozenset[str] = frozenset()
    """The policies whose tree and account are those of the bridge before."""
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
        """The work that comes with time: reserved names become files, sign-ins are kept alive, broken work is mended.

        To be called every few seconds.
        """
        for account in self.upkeep:
            account.look()
        self.recovery.look()
        self.chunks.look()
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
            bridge.certificate = tls_context(tls) if (tls := tls_files(config)) else None
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
        if former.page is not None:
            former.page.close()  # ours listens already, and what is logged is to be counted once
        if former.pollers.running:
            self.pollers.start()
        return leaving

    def leave(self) -> None:
        """Let go of what no other bridge has."""
        self.pollers.stop()
        if self.page is not None:
            self.page.close()
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
    front = Front.open(config, limits)
    bridge = _compose(config, Ground.open(config, clock), front)
    front.main.to(bridge.application)
    front.metrics.to(bridge.metrics)
    return bridge


def _compose(config: Config, ground: Ground, front: Front, former: Bridge | None = None) -> Bridge:
    clock, database = ground.clock, ground.database
    microsoft = Microsoft.open(config, ground)
    accounts, graphs = microsoft.accounts, microsoft.graphs
    parts = DriverParts(ground, Pollers(clock), channels(config, ground))
    drivers = {name: make_driver(name, one, graphs[one.account], parts) for name, one in config.policies.items()}
    people = {name: account.person for name, account in accounts.items()}
    same = _follow(config, drivers, former, people) if former is not None else frozenset()
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
        hosts(config),
        spool_folder=str(ground.folder / "spool"),
        infinite_depth=config.server.infinite_depth,
        prepared=ground.prepared,
        followers=ground.followers,
    )
    room = config.server.nextcloud_chunks
    chunks = ChunkStore(ground.folder / "chunks", room, clock)
    application: Any = make_application(mounts, shared, chunks if room else None)
    passwords = {name: user.password for name, user in config.users.items()}
    if former is None:
        gate = Gate(application, passwords, clock, config.server.workers)
    else:
        gate = former.gate.renewed(application, passwords)
    application = gate
    page = status_page(application, config, ground, gate, accounts, drivers) if config.shows_status else None
    application = page or application
    if (proxy := config.server.behind_proxy) and is_public(proxy.public_url):
        application = NotifyEndpoint(application, SubscriptionTable(database), poke(ground.folder / "mirror"))
    if proxy:
        application = Forwarded(application, proxy.trusted)
    application = AccessLog(application, clock)
    seeker = Seeker(drivers, clock)

    def all_figures() -> Iterator[Gauge]:
        seeker.seek()
        return figures(drivers, accounts, graphs, seeker.not_found)

    return Bridge(
        config,
        ground,
        front,
        application,
        MetricsPage(all_figures),
        gate,
        drivers,
        list(overlays.values()),
        accounts,
        [graph.transport for graph in graphs.values()],
        parts.pollers,
        [Upkeep(account) for account in accounts.values()],
        Recovery(ground.desks.journal, drivers, clock),
        page,
        chunks,
        people,
        same,
    )


def _follow(
    config: Config, drivers: dict[str, GraphDriver], former: Bridge, people: Mapping[str, str]
) -> frozenset[str]:
    """Let drivers know what those before them have found; the policies whose tree and account are the same.

    Another person in the same account (`login --replace-account`) has other drives.
    """
    same = set()
    for name, driver in drivers.items():
        new, old = config.policies[name], former.config.policies.get(name)
        if old is None or tree_of(new) != tree_of(old):
            continue
        same_person = people[new.account] == former.people[old.account]
        if same_person and config.accounts[new.account] == former.config.accounts[old.account]:
            driver.follow(former.drivers[name])
            same.add(name)
    return frozenset(same)
