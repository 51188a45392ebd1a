"""The DAV layer over the in-memory drive: without a network for generated trees, or behind the real edge."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from davbridge.body import Body
from davbridge.clock import Clock, ManualClock, SystemClock
from davbridge.dav import deadprops, locks
from davbridge.dav.application import make_application
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.locks import LockTable
from davbridge.dav.message import Mount, Shared
from davbridge.dav.propfind.prepared import Prepared
from davbridge.drivers import sidestore
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.overlay import Overlay
from davbridge.drivers.protocol import Driver, Times
from davbridge.edge import Limits, make_server
from davbridge.paths import DavPath
from davbridge.store.database import Database
from tests.support.dav import Dav

_numbers = itertools.count()


@dataclass
class Told:
    """An answer of the application itself."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Drive:
    """One mount, `/me`, over a driver of its own; the state file may be shared, since each has its own policy name."""

    database: Database
    driver: Driver = field(default_factory=lambda: MemoryDriver(ManualClock()))
    clock: Clock = field(default_factory=ManualClock)
    prepared: Prepared = field(default_factory=Prepared)
    infinite_depth: int = 0

    def __post_init__(self) -> None:
        self.name = f"drive{next(_numbers)}"
        self.locks = LockTable(self.database, self.clock)
        self.dead = DeadProperties(self.database)
        self.shared = Shared(
            self.locks, self.dead, self.clock, infinite_depth=self.infinite_depth, prepared=self.prepared
        )
        self.overlay = Overlay(self.driver, self.database, self.name, self.clock, lambda path: False)
        mount = Mount(self.name, "/me", self.overlay, {"alice": "write", "bob": "write"})
        self.application = make_application([mount], self.shared)

    def store(self, path: str, data: bytes = b"x", times: Times | None = None) -> None:
        """Put a file into the drive itself."""
        self.driver.put(DavPath.parse(path), Body(io.BytesIO(data), len(data)), times=times)

    def propfind(self, path: str, depth: str, body: bytes = b"", user: str = "alice", **headers: str) -> Told:
        """One request, without a server."""
        told = Told(0, {}, b"")

        def start(line: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            told.status, told.headers = int(line[:3]), dict(headers)

        told.body = b"".join(self.application(_environ(path, depth, body, user, headers), start))
        return told

    def blocks(self, path: str, depth: str, body: bytes = b"") -> Any:
        """The blocks of one answer, as they are made."""
        return self.application(_environ(path, depth, body, "alice", {}), lambda line, headers, exc_info=None: None)


def _environ(path: str, depth: str, body: bytes, user: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "PROPFIND",
        "REQUEST_URI": path,
        "HTTP_DEPTH": depth,
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "davbridge.user": user,
        **{"HTTP_" + name.upper(): value for name, value in headers.items()},
    }


def open_state(folder: Path) -> Database:
    """A state file with the tables that the DAV layer needs."""
    return Database.open(folder / "state.sqlite", (*locks.SCHEMA, *deadprops.SCHEMA, *sidestore.SCHEMA), durable=False)


@contextmanager
def served(drive: Drive) -> Iterator[Dav]:
    """The drive behind the real edge; everybody is alice."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ["davbridge.user"] = "alice"
        return drive.application(environ, start_response)

    server = make_server(application, ["127.0.0.1:0"], limits=Limits(threads=4))
    server.start()
    dav = Dav(f"http://{server.addresses[0]}", "alice", "", "/me/")
    try:
        yield dav
    finally:
        dav.close()
        server.drain(2)


def real_time() -> SystemClock:
    """The clock of a drive that is served."""
    return SystemClock()
