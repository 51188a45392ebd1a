"""`python -m bench many`: 64 large transfers at a time, and how small requests fare beside them.

The transfers run in processes of their own, so that what the small requests wait for is not the measuring client; the
emulator is asked directly, too, so that one sees what of their time is its own. The contents are zeros: the emulator's
files have holes in their place, and take no room on disk.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import ssl
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
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from bench.client import Connection, zeros
from bench.servers import Server, bridge, emulated

TRANSFERS = 64
MEMORY_LIMIT = 512 * 2**20
SLOWEST = 1.0
"""Seconds that a small request may take."""
_CLIENTS = 2
_PAUSE = 0.05
_EMULATOR = "the emulator itself"
"""A small request to it, for comparison: no limit holds for it."""
_ASKED = b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
_PHASES = {"64 PUTs": (0, TRANSFERS), "64 GETs": (TRANSFERS, 0), "32 GETs, 32 PUTs": (TRANSFERS // 2, TRANSFERS // 2)}


@dataclass
class Small:
    """The answers to small requests of one kind, in seconds, and what failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def quantile(self, percent: int) -> float:
        """Of all that were answered."""
        if len(self.seconds) < 2:
            return self.longest
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    @property
    def longest(self) -> float:
        return max(self.seconds, default=0.0)


@dataclass(frozen=True)
class Outcome:
    """`memory`: highest resident memory of all processes of the bridge together, in bytes; `rate` in bytes a second;
    `load`: what the machine had to do, all other work on it included (getloadavg, the last minute)."""

    memory: int
    rate: float
    seconds: float
    load: float
    failures: list[str]
    small: dict[str, Small]
    emulator: Small

    @property
    def holds(self) -> bool:
        """Whether no limit is broken."""
        longest = max(one.longest for one in self.small.values())
        failed = self.failures or any(one.failures for one in self.small.values())
        return not failed and longest < SLOWEST and self.memory < MEMORY_LIMIT


def main(size: int) -> int:
    """Print what came of each phase; exit status 1 when a limit is broken. `size`: bytes of each transfer."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-") as name, ExitStack() as stack:
        status = stack.enter_context(console.status("starting the servers"))
        emulator = stack.enter_context(emulated())
        server = stack.enter_context(bridge(Path(name), emulator))
        _prepare(server)
        hold = True
        for phase, (gets, puts) in _PHASES.items():
            status.update(phase)
            outcome = measure(server, emulator, gets, puts, size)
            _tell(console, phase, outcome)
            hold = hold and outcome.holds
    console.print(f"Each transfer had {size / 2**20:,.0f} MiB. Limits: 512 MiB, no failure, {SLOWEST:g} s.")
    return 0 if hold else 1


def measure(server: Server, emulator: dict[str, str], gets: int, puts: int, size: int) -> Outcome:
    """Run the transfers, and small requests on old and on fresh connections until the last of them has ended."""
    server.reset_peak()
    ended = threading.Event()
    small = {f"{what}, {age}": Small() for what in _REQUESTS for age in ("old connection", "fresh connection")}
    jobs = [("GET", n) for n in range(gets)] + [("PUT", gets + n) for n in range(puts)]
    direct, begin = Small(), time.monotonic()
    context = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(len(small) + 1) as probes,
        ProcessPoolExecutor(_CLIENTS, context) as clients,
    ):
        watched = [probes.submit(_probe, server, name, one, ended) for name, one in small.items()]
        watched.append(probes.submit(_ask_emulator, emulator, direct, ended))
        try:
            parts = list(clients.map(partial(_transfers, server, size), [jobs[n::_CLIENTS] for n in range(_CLIENTS)]))
        finally:
            ended.set()
    for one in watched:
        one.result()
    seconds = time.monotonic() - begin
    failures = [failure for part in parts for failure in part]
    rate = (gets + puts) * size / seconds
    return Outcome(server.peak_memory(), rate, seconds, os.getloadavg()[0], failures, small, direct)


def _prepare(server: Server) -> None:
    """The small files; the large ones are made by the first phase."""
    connection = server.connect()
    for folder in ("/large/", "/small/"):
        connection.request("MKCOL", server.path(folder))
    connection.request("PUT", server.path("/small/read.txt"), body=bytes(4096))
    server.warm()


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


def _ask_emulator(facts: dict[str, str], small: Small, ended: threading.Event) -> None:
    """For an item, as the bridge would."""
    base = urlsplit(facts["graph_url"])
    trust = ssl.create_default_context(cafile=facts["ca_file"])
    connection = http.client.HTTPSConnection(base.hostname or "", base.port, context=trust, timeout=600)
    path = f"{base.path}/drives/{facts['drive_id']}/root"
    while not ended.wait(_PAUSE):
        begin = time.monotonic()
        connection.request("GET", path, headers={"Authorization": f"Bearer {facts['access_token']}"})
        answer = connection.getresponse()
        answer.read()
        small.seconds.append(time.monotonic() - begin)
        if answer.status != 200:
            small.failures.append(f"{_EMULATOR} answered {answer.status}")
    connection.close()


def _ask(connection: Connection, server: Server, depth: int) -> int:
    return connection.request("PROPFIND", server.path("/small/"), headers=f"Depth: {depth}\r\n", body=_ASKED)[0]


_REQUESTS: dict[str, Callable[..., int]] = {
    "PROPFIND depth 0": lambda c, s, _: _ask(c, s, 0),
    "PROPFIND depth 1": lambda c, s, _: _ask(c, s, 1),
    "GET of 4 KiB": lambda c, s, _: c.request("GET", s.path("/small/read.txt"))[0],
    "PUT of 4 KiB": lambda c, s, age: c.request("PUT", s.path(f"/small/{age}.txt"), body=bytes(4096))[0],
}


def _tell(console: Console, phase: str, outcome: Outcome) -> None:
    table = Table(phase, "median", "p95", "p99", "longest, s", "count")
    for name, one in (*outcome.small.items(), (_EMULATOR, outcome.emulator)):
        figures = (one.quantile(50), one.quantile(95), one.quantile(99), one.longest)
        table.add_row(name, *(f"{figure:.3f}" for figure in figures), str(len(one.seconds)))
    console.print(table)
    console.print(
        f"{phase}: {outcome.seconds:,.0f} s, {outcome.rate / 2**20:,.0f} MiB/s all together, peak memory "
        f"{outcome.memory / 2**20:.0f} MiB, {len(outcome.failures)} failed; load of the machine {outcome.load:.1f}"
    )
    every = (*outcome.small.values(), outcome.emulator)
    failures = Counter(outcome.failures + [failure for one in every for failure in one.failures])
    for failure, count in failures.items():
        console.print(f"{phase}: {failure} ({count} times)")
