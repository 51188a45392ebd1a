"""The line that the emulator can be put at the end of: latency for a request, a rate for each connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api

SIZE = 2_000_000


def test_latency(api: Api, emulator: Emulator, business: str) -> None:
    """Each request takes its time on the way, and no longer once the line is taken away."""
    emulator.line.set(0.1, 0)
    assert _seconds(lambda: api("GET", f"{business}/root", 200)) >= 0.1
    emulator.reset()
    assert _seconds(lambda: api("GET", f"{business}/root", 200)) < 0.1


def test_rate_of_downloads(api: Api, emulator: Emulator, business: str) -> None:
    """A connection carries so many bytes a second; four carry four times as many."""
    emulator.drive("business").put("/a.bin", bytes(SIZE))
    url = api("GET", f"{business}/root:/a.bin", 200).json()["@microsoft.graph.downloadUrl"]
    emulator.line.set(0, 1e7)

    def get() -> int:
        return len(requests.get(url, verify=emulator.ca_file, timeout=30).content)

    single = _seconds(get)
    assert single >= 0.19
    with ThreadPoolExecutor(4) as pool:
        assert _seconds(lambda: sum(pool.map(lambda _: get(), range(4)))) < 3 * single


def test_rate_of_uploads(api: Api, emulator: Emulator, business: str) -> None:
    """So does it for what is sent to it."""
    emulator.line.set(0, 1e7)
    assert _seconds(lambda: api("PUT", f"{business}/root:/a.bin:/content", 201, data=bytes(SIZE))) >= 0.19
    assert emulator.drive("business").read("/a.bin") == bytes(SIZE)


def test_the_control_door(emulator: Emulator) -> None:
    """Other processes set it, too; nonsense is refused."""
    answer = requests.post(emulator.control_url + "/line", json={"latency": 0.08, "rate": 2e7}, timeout=30)
    assert answer.status_code == 200
    assert (emulator.line.latency, emulator.line.rate) == (0.08, 2e7)
    answer = requests.post(emulator.control_url + "/line", json={"latency": -1, "rate": 0}, timeout=30)
    assert answer.status_code == 400


def _seconds(act: Callable[[], object]) -> float:
    begin = time.monotonic()
    act()
    return time.monotonic() - begin
