"""`python -m bench many`: 64 large transfers at a time, and how small requests fare beside them.

The transfers run in processes of their own, so that what the small requests wait for is not the measuring client. The
contents are zeros: the emulator's files have holes in their place, and take no room on disk.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.client import zeros
from bench.servers import Server, bridge, emulated

TRANSFERS = 64
MEMORY_LIMIT = 512 * 2**20
SLOWEST = 1.0
"""Seconds that a small request may take."""
_CLIENTS = 2
_PAUSE = 0.05
_ASKED = b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
_PHASES = {"64 PUTs": (0, TRANSFERS), "64 GETs": (TRANSFERS, 0), "32 GETs, 32 PUTs": (TRANSFERS // 2, TRANSFERS // 2)}


@dataclass
class Small:
    """The answers to small requests of one kind, in seconds, and what failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Of all that were answered."""
        return (
            statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]
            if len(self.seconds) > 1
            else max(self.seconds, default=0.0)
        )


@dataclass(frozen=True)
class Outcome:
    """`memory`: highest resident memory of all processes of the bridge together, in bytes; `rate` in bytes a second."""

    memory: int
    rate: float
    failures: list[str]
    small: dict[str, Small]

    @property
    def holds(self) -> bool:
        """Whether no limit is broken."""
        longest = max((max(one.seconds, default=0.0) for one in self.small.values()), default=0.0)
        failed = self.failures or any(one.failures for one in self.small.values())
        return not failed and longest < SLOWEST and self.memory < MEMORY_LIMIT


def main(size: int) -> int:
    """Print what came of each phase; exit status 1 when a limit is broken. `size`: bytes of each transfer."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-") as name, ExitStack() as stack:
        status = stack.enter_context(console.status("starting the servers"))
        server = stack.enter_context(bridge(Path(name), stack.enter_context(emulated())))
        _prepare(server)
        outcomes = {}
        for phase, (gets, puts) in _PHASES.items():
            status.update(phase)
            outcomes[phase] = measure(server, gets, puts, size)
    console.print(_table(outcomes))
    for phase, outcome in outcomes.items():
        failures = Counter(outcome.failures + [f for one in outcome.small.values() for f in one.failures])
        for failure, count in failures.items():
            console.print(f"{phase}: {failure} ({count} times)")
    console.print(f"Each transfer had {size / 2**20:,.0f} MiB. Limits: 512 MiB, no failure, {SLOWEST:g} s.")
    return 0 if all(outcome.holds for outcome in outcomes.values()) else 1


def measure(server: Server, gets: int, puts: int, size: int) -> Outcome:
    """Run the transfers, and small requests on old and on fresh connections until the last of them has ended."""
    server.reset_peak()
    ended = threading.Event()
    small = {f"{what}, {age}": Small() for what in _REQUESTS for age in ("old connection", "fresh connection")}
    jobs = [("GET", n) for n in range(gets)] + [("PUT", gets + n) for n in range(puts)]
    begin = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(len(small)) as probes,
        ProcessPoolExecutor(_CLIENTS, context) as clients,
    ):
        watched = [probes.submit(_probe, server, name, one, ended) for name, one in small.items()]
        try:
            parts = list(clients.map(partial(_transfers, server, size), [jobs[n::_CLIENTS] for n in range(_CLIENTS)]))
        finally:
            ended.set()
    for one in watched:
        one.result()
    rate = (gets + puts) * size / (time.monotonic() - begin)
    return Outcome(server.peak_memory(), rate, [failure for part in parts for failure in part], small)


def _prepare(server: Server) -> None:
    """The small files; the large ones are made by the first phase."""
    connection = server.connect()
    for folder in ("/large/", "/small/"):
        connection.request("MKCOL", server.path(folder))
    connection.request("PUT", server.path("/small/read.txt"), body=bytes(4096))
    for _ in range(16):  # a password's first check in each worker is no part of a request
        server.connect().request("GET", server.path("/small/read.txt"))


def _transfers(server: Server, size: int, jobs: list[tuple[str, int]]) -> list[str]:
    """Run all of them at a time; what failed."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [failure for failure in pool.map(partial(_transfer, server, size), jobs) if failure]


def _transfer(server: Server, size: int, job: tuple[str, int]) -> str | None:
    method, number = job
    path = server.path(f"/large/{number:02}.bin")
    connection = server.connect()
    try:
        if method == "PUT":
            status, _ = connection.request("PUT", path, body=zeros(size), length=size)
            return None if status in (201, 204) else f"PUT {number} answered {status}"
        status, given = connection.request("GET", path)
    except OSError as error:
        return f"{method} {number}: {error}"
    finally:
        connection.close()
    return None if (status, given) == (200, size) else f"GET {number} answered {status} with {given} bytes"


def _probe(server: Server, name: str, small: Small, ended: threading.Event) -> None:
    what, _, age = name.partition(", ")
    ask = _REQUESTS[what]
    connection = server.connect()
    while not ended.wait(_PAUSE):
        if age == "fresh connection":
            connection.close()
        begin = time.monotonic()
        try:
            status = ask(connection, server, age.split()[0])
        except OSError as error:
            small.failures.append(f"{name}: {error}")
            continue
        small.seconds.append(time.monotonic() - begin)
        if status not in (200, 201, 204, 207):
            small.failures.append(f"{name} answered {status}")
    connection.close()


_REQUESTS: dict[str, Callable[..., int]] = {
    "PROPFIND depth 0": lambda c, s, _: c.request("PROPFIND", s.path("/small/"), headers="Depth: 0\r\n", body=_ASKED)[
        0
    ],
    "GET of 4 KiB": lambda c, s, _: c.request("GET", s.path("/small/read.txt"))[0],
    "PUT of 4 KiB": lambda c, s, age: c.request("PUT", s.path(f"/small/{age}.txt"), body=bytes(4096))[0],
}


def _table(outcomes: dict[str, Outcome]) -> Table:
    table = Table("what", *outcomes)
    shown = outcomes.values()
    table.add_row("peak memory, MiB", *(f"{one.memory / 2**20:.0f}" for one in shown))
    table.add_row("all together, MiB/s", *(f"{one.rate / 2**20:.0f}" for one in shown))
    table.add_row("failed", *(str(len(one.failures)) for one in shown))
    for name in next(iter(shown)).small:
        small = [one.small[name] for one in shown]
        cells = [f"{one.p95:.2f} / {max(one.seconds, default=0.0):.2f} s, {len(one.seconds)}" for one in small]
        table.add_row(f"{name}: p95 / longest, count", *cells)
    return table
