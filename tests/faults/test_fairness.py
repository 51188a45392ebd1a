"""Many users and one Microsoft: nobody waits for all that another has asked for, and nobody runs into a 429 that was
announced.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.support.dav import Dav
from tests.support.world import World, running_world

GREEDY = 48
"""Connections of a sync client that is told to use many."""
LATENCY = 0.1


@pytest.fixture(scope="module")
def running_crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A bridge that answers more requests at a time than Graph is asked."""
    with running_world(tmp_path_factory.mktemp("crowd"), threads=GREEDY + 16) as world:
        yield world


@pytest.fixture
def crowd(running_crowd: World) -> World:
    """It, knowing nothing."""
    running_crowd.reset()
    return running_crowd


Ask = Callable[[Dav, str], object]
ASK: dict[str, Ask] = {
    "PROPFIND": lambda dav, name: dav.propfind(name, depth=0, check=404),
    "GET": lambda dav, name: dav.get(name, check=404),
    "PUT": lambda dav, name: dav.put(name, b"x", check=201),
}
"""Each costs one Graph call at least, since nothing of the name is known."""


@pytest.mark.parametrize("verb", ASK)
def test_a_sync_does_not_starve_a_listing(crowd: World, verb: str) -> None:
    """While one user keeps 48 connections busy, another's requests take a fraction of the time that the first's do."""
    for mount in ("me", "team"):  # the drives are found before
        with closing(crowd.dav(mount)) as dav:
            dav.propfind(check=207)
    crowd.emulator.line.latency = LATENCY
    enough, took = threading.Event(), list[float]()

    def timed(ask: Ask, dav: Dav, name: str) -> float:
        begin = time.monotonic()
        ask(dav, name)
        return time.monotonic() - begin

    def greedy(number: int) -> None:
        with closing(crowd.dav("me", "alice")) as dav:
            for count in range(1000):
                if enough.is_set():
                    return
                took.append(timed(ASK[verb], dav, f"{number}-{count}"))

    try:
        with ThreadPoolExecutor(GREEDY) as pool:
            syncing = [pool.submit(greedy, number) for number in range(GREEDY)]
            time.sleep(1.0)  # until its requests stand in a row
            with closing(crowd.dav("team", "bob")) as dav:
                modest = [timed(ASK["PROPFIND"], dav, f"mine-{count}") for count in range(8)]
            enough.set()
            for one in syncing:
                one.result()
    finally:
        crowd.emulator.line.latency = 0.0
    assert statistics.median(took) > 3 * LATENCY, "there was no crowd"
    assert statistics.median(modest) < statistics.median(took) / 2
    assert max(modest) < 20 * LATENCY


@pytest.fixture
def same_time(crowd: World) -> Iterator[None]:
    """What the bridge sleeps is over for the emulator, too."""
    crowd.clock.follower = crowd.emulator.clock.advance
    yield
    crowd.clock.follower = None


@pytest.mark.usefixtures("same_time")
@pytest.mark.parametrize("verb", ["PROPFIND", "PUT"])
def test_an_announced_limit_is_not_run_into(crowd: World, verb: str) -> None:
    """Twice as much is asked as the limit allows in a minute: the bridge slows down, and never sees a 429."""
    limit = 300
    crowd.emulator.quirks.resource_units_per_minute = limit
    begin = crowd.clock.slept

    def ask(number: int) -> None:
        with closing(crowd.dav("me")) as dav:
            for count in range(limit // 4):
                ASK[verb](dav, f"{number}-{count}")

    crowd.emulator.calls.clear()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    calls = crowd.emulator.calls.list()
    assert sum(call.kind == "graph" for call in calls) >= limit
    assert [call for call in calls if call.status == 429] == []
    assert crowd.clock.slept - begin > 10
