"""`python -m bench mirror [--items N]`: the mirror of a large drive, from its first enumeration to one after 410.

The emulator makes the drive on the fly, as a process of its own; it is the slower half of it, so the bridge's own CPU
time is told beside the time by the clock.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from rich.console import Console

from bench.client import Connection
from bench.servers import Server, bridge, emulated

FILES = 19
FANOUT = 20
POLL = 2.0
CHANGES = 5000
_PROPFIND = (
    b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:resourcetype/></D:prop></D:propfind>'
)
_TICKS = os.sysconf("SC_CLK_TCK")


class Emulated:
    """The emulator's process, spoken to through its plain-HTTP door."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts

    def tell(self, path: str, **body: Any) -> Any:
        """POST."""
        return self._send(Request(self.facts["control_url"] + path, json.dumps(body).encode(), method="POST"))

    def delta_calls(self) -> int:
        """How many pages were asked for since the last `/reset`."""
        return sum(call["operation"] == "delta" for call in self.calls())

    def calls(self) -> list[dict[str, Any]]:
        """All of them since the last `/reset`."""
        return list(self._send(Request(self.facts["control_url"] + "/calls")))

    def storm(self) -> dict[str, int]:
        """How many faults a storm has brought, by operation and kind."""
        return dict(self._send(Request(self.facts["control_url"] + "/storm")))

    @staticmethod
    def _send(request: Request) -> Any:
        with urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())


class Mirrored:
    """The mirror's file, looked at from outside, as a second process."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "mirror"

    @property
    def path(self) -> Path | None:
        return next(iter(self._folder.glob("*.sqlite")), None)

    def standing(self) -> tuple[str, str, float, int]:
        """Phase, next link, start of the last whole round, items of the round."""
        if self.path is None:
            return "new", "", 0.0, 0
        try:
            with sqlite3.connect(self.path, timeout=30) as connection:
                row = connection.execute("SELECT phase, next, synced, seen FROM sync").fetchone()
        except sqlite3.Error:
            row = None
        else:
            connection.close()
        return row or ("new", "", 0.0, 0)

    def wait(self, is_there: Callable[[str, str, float, int], bool], seconds: float = 3600) -> float:
        """Seconds until the standing is as wanted. Raises AssertionError after `seconds`."""
        begin = time.monotonic()
        while not is_there(*self.standing()):
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"still {self.standing()} after {seconds:.0f} s")
            time.sleep(0.05)
        return time.monotonic() - begin

    def size(self) -> int:
        assert self.path is not None
        return self.path.stat().st_size

    def lock_wait(self) -> float:
        """Seconds until the write lock can be had."""
        begin = time.perf_counter()
        connection = sqlite3.connect(self.path or "", timeout=60, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        connection.close()
        return time.perf_counter() - begin


@dataclass
class Load:
    """What a client did meanwhile. Seconds of each request by its kind."""

    times: dict[str, list[float]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, kind: str, seconds: float) -> None:
        self.times.setdefault(kind, []).append(seconds)

    def p95(self, kind: str) -> str:
        known = self.times.get(kind, [])
        if len(known) < 2:
            return "–"
        middle, late = statistics.median(known) * 1000, statistics.quantiles(known, n=20)[-1] * 1000
        return f"{middle:,.1f} / {late:,.1f} / {max(known) * 1000:,.0f} ms"


@contextmanager
def _meanwhile(act: Callable[[Load], None], pause: float) -> Iterator[Load]:
    """Do something over and over while the block runs."""
    stop, load = threading.Event(), Load()

    def run() -> None:
        while not stop.wait(pause):
            try:
                act(load)
            except (AssertionError, OSError, sqlite3.Error) as error:
                load.failed.append(str(error)[:80])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join()


class Client:
    """A paced client of the drive; `items` of it."""

    def __init__(self, server: Server, folders: int) -> None:
        self._connection: Connection = server.connect()
        self._server = server
        self._folders = folders
        self._turn = 0

    def look(self, load: Load) -> None:
        """A file at Depth 0 and a folder at Depth 1, at another place each time."""
        self._turn += 1
        number = self._turn * 7919 % self._folders
        self._timed(load, "listing", "PROPFIND", self._path(number) + "/", depth=1)
        item = self._folders + number * FILES
        ending = (".txt", ".jpg", ".docx", ".pdf", ".bin")[item % 5]
        name = f"{self._path(number)}/file {item:07}{ending}"
        self._timed(load, "look-up", "PROPFIND", name, depth=0)

    def write(self, load: Load) -> None:
        """A small file, and a look at it right after."""
        self._turn += 1
        name = f"/ours {self._turn:04}.txt"
        self._timed(load, "PUT", "PUT", name)
        self._timed(load, "look-up", "PROPFIND", name, depth=0)

    def is_there(self, path: str) -> bool:
        """Whether the bridge shows it."""
        return self._send("PROPFIND", path, 0) == 207

    def _path(self, number: int) -> str:
        names = []
        while number >= 0:
            names.append(f"folder {number:07}")
            number = number // FANOUT - 1
        return "/" + "/".join(reversed(names))

    def _timed(self, load: Load, kind: str, method: str, path: str, depth: int = 0) -> None:
        begin = time.perf_counter()
        status = self._send(method, path, depth)
        load.add(kind, time.perf_counter() - begin)
        if status not in (201, 204, 207):
            raise AssertionError(f"{method} {path}: {status}")

    def _send(self, method: str, path: str, depth: int) -> int:
        headers = f"Depth: {depth}\r\n" if method == "PROPFIND" else ""
        body = _PROPFIND if method == "PROPFIND" else b"ours"
        return self._connection.request(
            method, self._server.path(path.replace(" ", "%20")), headers=headers, body=body
        )[0]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def kill(server: Server) -> None:
    """As the kernel does it when memory is short."""
    os.kill(server.pid, signal.SIGKILL)
    while Path(f"/proc/{server.pid}/cmdline").exists() and Path(f"/proc/{server.pid}/cmdline").read_bytes():
        time.sleep(0.01)


def measure(items: int, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """All figures, in words. Raises AssertionError when something is not as it should be."""
    folders = max(items // (FILES + 1), 1)
    total = folders * (FILES + 1)
    found: list[tuple[str, str]] = []

    def tell(what: str, figure: str) -> None:
        found.append((what, figure))
        say(f"{what}: {figure}")

    with tempfile.TemporaryDirectory(prefix="davbridge-bench-") as name, emulated() as facts:
        work, emulator = Path(name), Emulated(facts)
        mirror = Mirrored(work / "state")
        emulator.tell("/generate", drive="business", folders=folders, files_per_folder=FILES, fanout=FANOUT)
        tell("items", f"{total:,}")
        first = _first(work, emulator, mirror, folders, total, tell)
        with bridge(work, facts, poll=POLL, workers=1) as server:
            _restarted(server, emulator, mirror, folders, tell)
            _changed(server, emulator, mirror, folders, tell)
            _refused(server, emulator, mirror, folders, tell)
        tell("pages of the first enumeration", str(first))
    return found


def _first(
    work: Path, emulator: Emulated, mirror: Mirrored, folders: int, total: int, tell: Callable[[str, str], None]
) -> int:
    seconds = cpu = 0.0
    peak = 0
    with bridge(work, emulator.facts, poll=POLL, workers=1) as server:
        client = Client(server, folders)
        begin = time.monotonic()
        with _meanwhile(client.look, 0.05) as load:
            mirror.wait(lambda phase, _, __, seen: seen >= total * 3 // 10)
        seconds, cpu, peak = time.monotonic() - begin, cpu_seconds(server.pid), server.peak_memory()
        kill(server)
    seen = mirror.standing()[3]
    with bridge(work, emulator.facts, poll=POLL, workers=1) as server:
        client = Client(server, folders)
        begin = time.monotonic()
        with _meanwhile(client.look, 0.05) as load:
            mirror.wait(lambda phase, *_: phase == "live")
        seconds += time.monotonic() - begin
        cpu += cpu_seconds(server.pid)
        peak = max(peak, server.peak_memory())
        pages = emulator.delta_calls()
        tell("killed at", f"{seen:,} items, and gone on from there")
        tell("first enumeration", f"{seconds:,.0f} s ({cpu:,.0f} s of the bridge's CPU, with the client's requests)")
        tell("delta calls for it", f"{pages} ({-(-total // 1000)} pages, and the rounds that followed)")
        tell("peak memory of the bridge", f"{peak / 2**20:,.0f} MiB")
        tell("file", f"{mirror.size() / 2**20:,.0f} MiB")
        tell("look-up meanwhile: median / p95 / longest", load.p95("look-up"))
        tell("listing of 20 to 40 meanwhile", load.p95("listing"))
        tell("failed meanwhile", str(load.failed[:3] or 0))
        assert pages <= -(-total // 1000) + 10, "pages were asked for twice"
    return pages


def _restarted(
    server: Server, emulator: Emulated, mirror: Mirrored, folders: int, tell: Callable[[str, str], None]
) -> None:
    emulator.tell("/reset")
    synced = mirror.standing()[2]
    begin = time.monotonic()
    client = Client(server, folders)
    client.look(Load())
    mirror.wait(lambda phase, _, now, __: phase == "live" and now > synced, 60)
    tell("live again after a restart", f"{time.monotonic() - begin:.2f} s, {emulator.delta_calls()} delta call(s)")
    load, begin = Load(), time.monotonic()
    while time.monotonic() - begin < 10:
        client.look(load)
    tell("requests on one connection when live", f"{2 * len(load.times['look-up']) / 10:,.0f}/s")
    tell("look-up when live: median / p95 / longest", load.p95("look-up"))
    tell("listing of 20 to 40 when live", load.p95("listing"))
    emulator.tell("/reset")
    before = cpu_seconds(server.pid)
    time.sleep(POLL * 5)
    calls = emulator.delta_calls()
    tell(
        "a poll with nothing new", f"1 call, {(cpu_seconds(server.pid) - before) / max(calls, 1) * 1000:.0f} ms of CPU"
    )


def _changed(
    server: Server, emulator: Emulated, mirror: Mirrored, folders: int, tell: Callable[[str, str], None]
) -> None:
    client = Client(server, folders)
    names = [f"change {number:05}.txt" for number in range(CHANGES)]
    assert not client.is_there(f"/changes/{names[-1]}")
    begin = time.monotonic()
    emulator.tell("/store", drive="business", folder="changes", names=names, text="changed")
    made = time.monotonic() - begin
    while not client.is_there(f"/changes/{names[-1]}"):
        assert time.monotonic() - begin < 120, "the changes do not show"
        time.sleep(0.05)
    seconds = time.monotonic() - begin
    tell(f"{CHANGES:,} changes, made in {made:.1f} s, show after", f"{seconds:.1f} s (poll: {POLL:.0f} s)")


def _refused(
    server: Server, emulator: Emulated, mirror: Mirrored, folders: int, tell: Callable[[str, str], None]
) -> None:
    client = Client(server, folders)
    names = [f"change {number:05}.txt" for number in range(CHANGES)]
    emulator.tell("/store", drive="business", folder="changes", names=names, text="changed again")
    emulator.tell("/expire", drive="business")
    emulator.tell("/reset")
    server.reset_peak()
    used, begin, synced = cpu_seconds(server.pid), time.monotonic(), time.time()
    with (
        _meanwhile(client.write, 0.1) as load,
        _meanwhile(lambda one: one.add("lock", mirror.lock_wait()), 0.02) as locks,
    ):
        mirror.wait(lambda phase, *_: phase == "resync", 60)
        gathered = mirror.wait(lambda phase, *_: phase in ("merge", "merging", "live"))
        merged = mirror.wait(lambda phase, _, now, __: phase == "live" and now >= synced)
    tell("after 410: gathered, then merged", f"{gathered:,.0f} s, {merged:.1f} s")
    tell("after 410: the bridge's CPU", f"{cpu_seconds(server.pid) - used:,.0f} s in {time.monotonic() - begin:,.0f} s")
    tell("after 410: peak memory", f"{server.peak_memory() / 2**20:,.0f} MiB")
    tell("after 410: delta calls", str(emulator.delta_calls()))
    tell("after 410: write lock, waited for", locks.p95("lock"))
    tell("after 410: our PUTs", f"{len(load.times['PUT'])}, {load.p95('PUT')}, failed: {load.failed[:3] or 0}")
    tell("after 410: file", f"{mirror.size() / 2**20:,.0f} MiB")
    assert not load.failed, load.failed


def main(items: int) -> int:
    """Print the figures as they come. Raises AssertionError when something is not as it should be."""
    console = Console()
    measure(items, lambda line: console.print(line, highlight=False))
    return 0
