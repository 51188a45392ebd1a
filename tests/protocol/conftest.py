"""A bridge over a drive in memory, which is always watched: for what the protocol says, whatever the drive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from davbridge.clock import SystemClock
from davbridge.dav import deadprops, locks
from davbridge.dav.application import make_application
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.locks import LockTable
from davbridge.dav.message import FixedDriver, Mount, Shared
from davbridge.drivers import sidestore
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.overlay import Overlay
from davbridge.drivers.protocol import Driver
from davbridge.edge import make_server
from davbridge.store.database import Database
from tests.support.dav import Dav


class Untracked:
    """A driver that only does what every driver must."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        if name in ("sync_token", "changes", "search"):
            raise AttributeError(name)
        return getattr(self._driver, name)


@pytest.fixture(scope="session")
def memory_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[Mount]]]:
    """Its address, and the mounts, whose drives can be changed."""
    clock = SystemClock()
    schema = (*locks.SCHEMA, *deadprops.SCHEMA, *sidestore.SCHEMA)
    database = Database.open(tmp_path_factory.mktemp("memory") / "state.sqlite", schema)
    table = LockTable(database, clock)
    driver = MemoryDriver(clock)
    overlay = Overlay(driver, database, "mem", clock, lambda path: False)
    mounts = [
        Mount("mem", "/mem", overlay, {"alice": "write"}),
        Mount("plain", "/plain", FixedDriver(Untracked(driver)), {"alice": "write"}),  # type: ignore[arg-type]
    ]
    inner = make_application(mounts, Shared(table, DeadProperties(database), clock))

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        return inner({**environ, "davbridge.user": "alice"}, start)

    server = make_server(application, ["127.0.0.1:0"])
    server.start()
    yield f"http://{server.addresses[0]}", mounts
    server.drain(5)
    database.close()


@pytest.fixture
def dav(memory_server: tuple[str, list[Mount]]) -> Iterator[Dav]:
    """A client in an empty folder of the mount `/mem`; `/plain` shows the same drive without its abilities."""
    client = Dav(memory_server[0], "alice", "", "/mem/W")
    client.delete("/mem/W", check=(204, 404))
    client.mkcol("/mem/W", check=201)
    yield client
    client.close()
