"""Drivers over one running emulator, for every kind of drive."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from davbridge.body import Body
from davbridge.clock import Clock, SystemClock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.onedrive import OneDrive
from davbridge.drivers.protocol import Driver, Times, Written
from davbridge.drivers.roots import find_root
from davbridge.drivers.sharepoint import SharePoint
from davbridge.emulator import Emulator
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive
from davbridge.paths import ROOT, DavPath
from davbridge.tokens import FixedToken
from davbridge.transport import Transport
from davbridge.transport.hosts import HostRules

DRIVES = {"business": "business", "personal": "personal", "migrated": "personal-migrated", "sharepoint": "documents"}
"""The tests' names of the kinds of drive, and the emulator's."""


@contextmanager
def graph_of(emulator: Emulator, clock: Clock | None = None) -> Iterator[Graph]:
    """A Graph client of the emulator's user."""
    clock = clock or SystemClock()
    transport = Transport(clock, hosts=HostRules(emulator.graph_url), verify=emulator.ca_file)
    try:
        yield Graph(transport, FixedToken(emulator.access_token()), emulator.graph_url, clock)
    finally:
        transport.close()


def driver_of(
    kind: str, emulator: Emulator, graph: Graph, *, root: str = "/", clock: Clock | None = None
) -> GraphDriver:
    """A driver for one kind of drive; its root has been looked up."""
    clock = clock or graph.clock
    if kind == "business":
        driver = OneDrive.open(graph, clock=clock)
    elif kind == "sharepoint":
        driver = SharePoint.open(graph, site=emulator.site_url, library="Documents", clock=clock)
    else:
        drive_id = emulator.drive(DRIVES[kind]).id
        driver = GraphDriver(graph, lambda: find_root(graph, get_drive(graph, drive_id), ROOT), clock)
    driver.probe()
    return driver


def p(path: str) -> DavPath:
    """`/a/b` as a path; the names are taken as they are."""
    return DavPath(tuple(name for name in path.split("/") if name))


def body(data: bytes) -> Body:
    """`data` as a client's upload."""
    return Body(io.BytesIO(data), len(data))


def put(
    driver: Driver,
    path: str,
    data: bytes = b"content",
    *,
    if_match: str | None = None,
    if_absent: bool = False,
    times: Times | None = None,
) -> Written:
    """Store `data` at `path`."""
    return driver.put(p(path), body(data), if_match=if_match, if_absent=if_absent, times=times)


def read(driver: Driver, path: str) -> bytes:
    """The whole content, read in blocks."""
    with driver.open(p(path)) as download:
        return b"".join(iter(lambda: download.read(1 << 16), b""))


def names(driver: Driver, path: str) -> set[str]:
    """The names of a folder's children."""
    return {item.name for item in driver.children(p(path))[1]}


def tree(driver: Driver, path: str = "/") -> dict[str, bytes | None]:
    """Every path below and its content; None for folders."""
    found: dict[str, bytes | None] = {}
    for item in list(driver.children(p(path))[1]):
        below = f"{path.rstrip('/')}/{item.name}"
        found[below] = None if item.is_folder else read(driver, below)
        if item.is_folder:
            found |= tree(driver, below)
    return found
