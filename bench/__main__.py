"""`python -m bench [--quick]`: run every case on every server and print the ratios.

`mirror`: a large drive instead; `line`: transfers over a line with latency, and a rate for each connection;
`day`: what a media player and a backup do on a day on which a part of Microsoft's answers fail;
`many`: 64 large transfers at a time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import day, line, many, mirror
from bench.cases import CASES, Case, Scale, ask_item, beside, download, list_large, upload
from bench.large import FILES
from bench.servers import Server, all_servers, helper

FULL = Scale(big=2 * 2**30, small_files=1000, ranges=1000, repeats=7)
QUICK = Scale(big=128 * 2**20, small_files=200, ranges=200, repeats=3)
MEMORY_LIMIT = 64 * 2**20


def main() -> int:
    """Exit status 1 when a transfer, or a large listing, moves the bridge's peak memory by 64 MiB or more."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 MiB instead of 2 GiB, fewer repetitions")
    parser.add_argument("what", nargs="?", choices=["servers", "mirror", "line", "many", "day"], default="servers")
    parser.add_argument("--items", type=int, default=1_000_000, help="of the drive that `mirror` measures")
    parser.add_argument("--size", type=int, default=1024, help="MiB of each transfer of `many`")
    given = parser.parse_args()
    if given.what == "mirror":
        return mirror.main(given.items)
    if given.what == "line":
        return line.main()
    if given.what == "day":
        return day.main(quick=given.quick)
    if given.what == "many":
        return many.main(given.size * 2**20)
    scale = QUICK if given.quick else FULL
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="davbridge-bench-") as folder,
        console.status("starting the servers") as status,
        all_servers(Path(folder)) as servers,
    ):
        figures = {}
        for case in CASES:
            for server in servers:
                status.update(f"{case.name}: {server.name}")
                figures[case.name, server.name] = _figure(case, server, scale)
        status.update("memory")
        growth = _memory(servers[0], scale)
        status.update("PROPFIND depth 0 beside an empty application")
        with (
            helper(Path(folder), "bench.floor", "", "cheroot") as stock,
            helper(Path(folder), "bench.floor") as edge,
        ):
            floors = {"a stock cheroot": beside(servers[0], stock, scale), "our edge": beside(servers[0], edge, scale)}
        status.update("PROPFIND of a large folder")
        with helper(Path(folder), "bench.large", "/large") as large:
            ask_item(large, 0.2, "/")  # opens files and imports modules
            large.reset_peak()
            before = large.peak_memory()
            first, whole = list_large(large, FILES)
            listed = large.peak_memory() - before
    console.print(_table(figures, [server.name for server in servers]))
    size = scale.big / 2**30
    console.print(
        f"A PUT and a GET of {size:g} GiB moved the bridge's peak memory by {growth / 2**20:.1f} MiB (limit: 64)."
    )
    for where, (own, least, ratio) in floors.items():
        console.print(
            f"PROPFIND depth 0, 1 connection: {own:,.0f}/s; an empty WSGI application on {where}: {least:,.0f}/s; "
            f"ratio {ratio:.2f}."
        )
    console.print(
        f"PROPFIND depth 1, {FILES:,} files: first byte after {first:.2f} s, all after {whole:.2f} s, "
        f"peak memory up {listed / 2**20:.1f} MiB (limit: 64)."
    )
    return 0 if max(growth, listed) < MEMORY_LIMIT else 1


def _figure(case: Case, server: Server, scale: Scale) -> float | str:
    try:
        return case.run(server, scale)
    except (AssertionError, OSError) as error:
        return str(error)[:60]


def _memory(bridge: Server, scale: Scale) -> int:
    """Bytes by which one PUT and one GET of the big file raise the highest resident memory."""
    bridge.reset_peak()
    before = bridge.peak_memory()
    upload(bridge, scale)
    download(bridge, scale)
    return bridge.peak_memory() - before


def _table(figures: dict[tuple[str, str], float | str], names: list[str]) -> Table:
    bridge, *others = names
    table = Table("case", "unit", *names, *(f"{bridge} : {other}" for other in others))
    for case in CASES:
        row = [figures[case.name, name] for name in names]
        own = row[0]
        cells = [f"{value:,.1f}" if isinstance(value, float) else value for value in row]
        ratios = [
            f"{own / value:.2f}" if isinstance(own, float) and isinstance(value, float) else "–" for value in row[1:]
        ]
        table.add_row(case.name, case.unit, *cells, *ratios)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
