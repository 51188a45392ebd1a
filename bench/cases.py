"""What is measured. Each case is a function of a server and a scale; it returns one figure, higher is better.

Every case checks what it got: a fast wrong answer is no answer.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.client import Connection, zeros
from bench.servers import LISTED_FILES, Server

_PROPFIND = (
    b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/>'
    b"<D:getlastmodified/><D:getetag/></D:prop></D:propfind>"
)


@dataclass(frozen=True)
class Scale:
    """How much: bytes of the big file, number of small files, number of ranges, repetitions of quick cases."""

    big: int
    small_files: int
    ranges: int
    repeats: int


@dataclass(frozen=True)
class Case:
    """A named measurement; `unit` of its figure."""

    name: str
    unit: str
    run: Callable[[Server, Scale], float]


def list_folder(server: Server, scale: Scale) -> float:
    """Listings a second of a folder with 10,000 files, Depth 1, after a first one that warms the caches."""
    connection = server.connect()
    times = []
    for _ in range(scale.repeats + 1):
        begin = time.perf_counter()
        status, size = connection.request("PROPFIND", server.path("/many/"), headers="Depth: 1\r\n", body=_PROPFIND)
        times.append(time.perf_counter() - begin)
        if status != 207 or size < LISTED_FILES * 100:
            raise AssertionError(f"{server.name}: PROPFIND answered {status} with {size} bytes")
    return 1 / statistics.median(times[1:])


def ask_item(server: Server, seconds: float, path: str = "/many/document%2000001.txt") -> float:
    """PROPFINDs a second of one item, Depth 0, over one connection."""
    connection = server.connect()
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        status, _ = connection.request("PROPFIND", server.path(path), headers="Depth: 0\r\n", body=_PROPFIND)
        if status != 207:
            raise AssertionError(f"{server.name}: PROPFIND answered {status}")
        count += 1
    return count / (time.perf_counter() - begin)


def ask_items(server: Server, scale: Scale) -> float:
    """PROPFINDs a second of single items, Depth 0, over 16 connections: the median of three rounds.

    Before them each connection asks once, as in `list_folder`: a password's hash is no part of a request.
    """
    connections, each = [server.connect() for _ in range(16)], scale.small_files // 2

    def work(number: int, count: int) -> None:
        connection = connections[number]
        for _ in range(count):
            path = server.path(f"/many/document%20{number + 1:05}.txt")
            status, _ = connection.request("PROPFIND", path, headers="Depth: 0\r\n", body=_PROPFIND)
            if status != 207:
                raise AssertionError(f"{server.name}: PROPFIND answered {status}")

    rates = []
    with ThreadPoolExecutor(len(connections)) as pool:
        for count in (1, each, each, each):
            begin = time.perf_counter()
            list(pool.map(work, range(len(connections)), [count] * len(connections)))
            rates.append(len(connections) * count / (time.perf_counter() - begin))
    return statistics.median(rates[1:])


def beside(server: Server, floor: Server, scale: Scale) -> tuple[float, float, float]:
    """Both rates of `ask_item`, and their ratio: in short turns, so that a busy machine slows both."""
    ask_item(server, 0.3)
    ask_item(floor, 0.3)
    turns = [(ask_item(server, 0.2), ask_item(floor, 0.2)) for _ in range(3 * scale.repeats)]
    rates = [statistics.median(rates) for rates in zip(*turns, strict=True)]
    return rates[0], rates[1], statistics.median(own / least for own, least in turns)


def list_large(server: Server, files: int) -> tuple[float, float]:
    """Seconds until the first byte of a listing of `files` files with Depth 1, and until its last."""
    connection = server.connect()
    begin = time.perf_counter()
    status, size = connection.request("PROPFIND", server.path("/"), headers="Depth: 1\r\n", body=_PROPFIND)
    whole = time.perf_counter() - begin
    if status != 207 or size < files * 250:
        raise AssertionError(f"{server.name}: PROPFIND answered {status} with {size} bytes")
    return connection.first_byte - begin, whole


def download(server: Server, scale: Scale) -> float:
    """MiB/s of one proxied GET of the big file that `upload` stored."""
    connection = server.connect()
    best = 0.0
    for _ in range(2):
        begin = time.perf_counter()
        status, size = connection.request("GET", server.path("/big.bin"))
        seconds = time.perf_counter() - begin
        if status != 200 or size != scale.big:
            raise AssertionError(f"{server.name}: GET answered {status} with {size} bytes")
        best = max(best, scale.big / seconds / 2**20)
    return best


def upload(server: Server, scale: Scale) -> float:
    """MiB/s of one PUT of the big file, until the answer has come."""
    connection = server.connect()
    begin = time.perf_counter()
    status, _ = connection.request("PUT", server.path("/big.bin"), body=zeros(scale.big), length=scale.big)
    if status not in (200, 201, 204):
        raise AssertionError(f"{server.name}: PUT answered {status}")
    return scale.big / (time.perf_counter() - begin) / 2**20


def download_four(server: Server, scale: Scale) -> float:
    """MiB/s of four proxied GETs at a time, together as many bytes as twice the big file."""
    return _four(server, "GET", scale.big // 2)


def upload_four(server: Server, scale: Scale) -> float:
    """MiB/s of four PUTs at a time, of the files that `download_four` reads."""
    return _four(server, "PUT", scale.big // 2)


def _four(server: Server, method: str, size: int) -> float:
    connections = [server.connect() for _ in range(4)]

    def work(number: int) -> None:
        path = server.path(f"/stream-{number}.bin")
        if method == "GET":
            status, given = connections[number].request("GET", path)
        else:
            status, given = connections[number].request("PUT", path, body=zeros(size), length=size)[0], size
        if status not in (200, 201, 204) or given != size:
            raise AssertionError(f"{server.name}: {method} answered {status} with {given} bytes")

    begin = time.perf_counter()
    with ThreadPoolExecutor(len(connections)) as pool:
        list(pool.map(work, range(len(connections))))
    return len(connections) * size / (time.perf_counter() - begin) / 2**20


def store_small(server: Server, scale: Scale) -> float:
    """PUTs a second of 4 KiB files into one folder, over four connections."""
    return _spread(server, scale.small_files, lambda c, i: c.request("PUT", _small(server, i), body=bytes(4096)))


def fetch_small(server: Server, scale: Scale) -> float:
    """GETs a second of the same files, over four connections."""
    return _spread(server, scale.small_files, lambda c, i: c.request("GET", _small(server, i)))


def read_ranges(server: Server, scale: Scale) -> float:
    """Reads a second of 64 KiB at random places of the big file, over one connection."""
    connection = server.connect()
    places = random.Random(1)  # the same places for every server
    begin = time.perf_counter()
    for _ in range(scale.ranges):
        start = places.randrange(scale.big - 65536)
        status, size = connection.request(
            "GET", server.path("/big.bin"), headers=f"Range: bytes={start}-{start + 65535}\r\n"
        )
        if status != 206 or size != 65536:
            raise AssertionError(f"{server.name}: a range answered {status} with {size} bytes")
    return scale.ranges / (time.perf_counter() - begin)


def _small(server: Server, number: int) -> str:
    return server.path(f"/small/{number:05}.txt")


def _spread(server: Server, count: int, act: Callable[[Connection, int], tuple[int, int]]) -> float:
    workers = 4

    def work(offset: int) -> None:
        connection = server.connect()
        for number in range(offset, count, workers):
            status, _ = act(connection, number)
            if status not in (200, 201, 204):
                raise AssertionError(f"{server.name}: answered {status}")

    server.connect().request("MKCOL", server.path("/small/"))
    begin = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    return count / (time.perf_counter() - begin)


CASES = (
    Case(f"PROPFIND depth 1, {LISTED_FILES:,} files, warm", "1/s", list_folder),
    Case("PROPFIND depth 0, 16 connections", "1/s", ask_items),
    Case("PUT of the big file", "MiB/s", upload),
    Case("GET of the big file, proxied", "MiB/s", download),
    Case("PUT of half of it, four streams", "MiB/s", upload_four),
    Case("GET of half of it, four streams, proxied", "MiB/s", download_four),
    Case("64 KiB ranges at random", "1/s", read_ranges),
    Case("PUT of 4 KiB files, 4 connections", "1/s", store_small),
    Case("GET of 4 KiB files, 4 connections", "1/s", fetch_small),
)
