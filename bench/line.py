"""`python -m bench line`: transfers over a line like the one to Microsoft, beside `rclone serve webdav`.

The emulator answers each request 80 ms late and gives each connection 20 MB/s, both ways: what is measured is how many
requests a program needs, and whether one connection's speed holds it.

Fragments of an upload go one after the other, over one connection: 256 MiB take 13.4 s whatever a program does. So no
program can be more than about 1.17 times as fast as one that sends 26 of 10 MiB, and each round trip of its own takes
0.006 of that away.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cases import Case, Scale, download, read_ranges, store_small, upload
from bench.mirror import Emulated
from bench.servers import Server, bridge, emulated, rclone

LATENCY, RATE = 0.08, 20e6
SCALE = Scale(big=256 * 2**20, small_files=200, ranges=100, repeats=3)


@dataclass(frozen=True)
class Target:
    """A case, and how many times rclone's figure the bridge's must be."""

    case: Case
    ratio: float


TARGETS = (
    Target(Case("PUT of 256 MiB", "MiB/s", upload), 1.15),
    Target(Case("GET of 256 MiB, proxied", "MiB/s", download), 3),
    Target(Case("64 KiB ranges at random", "1/s", read_ranges), 4),
    Target(Case("4 KiB PUTs, 4 connections", "1/s", store_small), 1.8),
)


def _warm(server: Server) -> None:
    """Each worker has been asked: the hash of a password and the first sign-in are no part of a transfer."""
    for connection in [server.connect() for _ in range(16)]:
        connection.request("PROPFIND", server.path("/"), headers="Depth: 0\r\n")


def main() -> int:
    """Print the ratios; exit status 1 when one of them is below its target."""
    console = Console()
    table = Table("case", "unit", "davbridge", "rclone", "ratio", "target")
    reached = True
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        status = stack.enter_context(console.status("starting the servers"))
        emulator = stack.enter_context(emulated())
        servers = [stack.enter_context(bridge(folder, emulator)), stack.enter_context(rclone(folder, emulator))]
        for server in servers:
            _warm(server)
        Emulated(emulator).tell("/line", latency=LATENCY, rate=RATE)
        for target in TARGETS:
            figures = []
            for server in servers:
                status.update(f"{target.case.name}: {server.name}")
                figures.append(target.case.run(server, SCALE))
            ratio = figures[0] / figures[1]
            reached = reached and ratio >= target.ratio
            cells = [f"{figure:,.1f}" for figure in figures]
            table.add_row(target.case.name, target.case.unit, *cells, f"{ratio:.2f}", f"{target.ratio:g}")
    console.print(table)
    console.print(
        f"Each request took {LATENCY * 1000:.0f} ms on its way, each connection carried {RATE / 1e6:.0f} MB/s."
    )
    return 0 if reached else 1
