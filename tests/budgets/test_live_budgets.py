"""Each operation of the budgets when the mirror knows the drive: exactly the calls of the warm column, not one more."""

from __future__ import annotations

import pytest

from tests.budgets.test_dav_budgets import BUDGETS, Budget
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World


@pytest.fixture(params=BUDGETS, ids=lambda budget: budget.name)
def budget(request: pytest.FixtureRequest, world: World, mount: str) -> Budget:
    """Each budget, with `/d/f.txt` and `/e/old.txt` on the drive, enumerated."""
    drive = world.emulator.drive(MOUNTS[mount])
    drive.put("/d/f.txt", b"content")
    drive.put("/e/old.txt", b"old content")
    driver = world.bridge.drivers[mount]
    driver.probe()
    driver.quota()
    world.bridge.pollers.round()
    return request.param  # type: ignore[no-any-return]


def test_live(world: World, dav: Dav, budget: Budget) -> None:
    """Nothing was listed or looked up through the bridge before."""
    with world.emulator.calls.counting() as calls:
        budget.act(dav)
    assert calls.graph == budget.warm, calls.operations
    assert calls.upload + calls.download + calls.monitor <= budget.others, calls.operations


def test_reads_of_a_deep_tree(world: World, dav: Dav, mount: str) -> None:
    """Listings, look-ups and absence at any depth: no call."""
    world.emulator.drive(MOUNTS[mount]).put("/a/b/c/d/e.txt", b"x")
    world.bridge.drivers[mount].probe()
    world.bridge.pollers.round()
    with world.emulator.calls.counting() as calls:
        for path in ("", "a", "a/b", "a/b/c", "a/b/c/d"):
            dav.propfind(path, depth=1, check=207)
        dav.head("a/b/c/d/e.txt", check=200)
        dav.propfind("a/b/none/x", check=404)
    assert calls.operations == []


def test_a_poll_with_nothing_new(world: World, dav: Dav, mount: str) -> None:
    """One call a drive."""
    world.bridge.drivers["me"].probe()
    world.bridge.drivers["team"].probe()
    world.bridge.pollers.round()
    with world.emulator.calls.counting() as calls:
        world.bridge.pollers.round()
    assert calls.operations == ["delta", "delta"]
