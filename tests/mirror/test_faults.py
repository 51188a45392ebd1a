"""Rounds under faults: whatever Graph answers meanwhile, in the end the mirror is the truth."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Action, Html, LoseAnswer, Reset, Status, Truncate
from davbridge.errors import BadUpstream, BridgeError, Busy, Unsupported
from davbridge.graph.client import Graph
from davbridge.mirror.sync import DeltaSync
from tests.contract.places import graph_of, put
from tests.mirror.conftest import Mirrored
from tests.mirror.truth import Body, Changed, assert_true, paths, rounds, small_pages, truth
from tests.support.clock import HastyClock

Json = dict[str, Any]
RESYNCS = (
    "resyncRequired",
    "resyncChangesApplyDifferences",
    "resyncApplyDifferences",
    "resyncChangesUploadDifferences",
    "resyncUploadDifferences",
    "syncStateNotFound",
)


@pytest.fixture
def graph(emulator: Emulator) -> Iterator[Graph]:
    """A client whose pauses take a fiftieth of their time."""
    with graph_of(emulator, HastyClock()) as graph:
        yield graph


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three items a page."""
    small_pages(monkeypatch)


def _twice(page: Json) -> None:
    page["value"] += page["value"][:2]


def _children_first(page: Json) -> None:
    page["value"].reverse()


def _no_path(page: Json) -> None:
    for item in page["value"]:
        item.get("parentReference", {}).pop("path", None)


def _no_parent(page: Json) -> None:
    for item in page["value"]:
        if "root" not in item and "deleted" in item:
            item.pop("parentReference", None)


def _circle(page: Json) -> None:
    if "@odata.nextLink" in page:
        page["@odata.nextLink"] = page["@odata.nextLink"].partition("?")[0] + "?token=circle"


def _strangers(page: Json) -> None:
    page["value"].append({"id": "stranger", "name": "strange", "unknown": {}, "parentReference": {"id": "nowhere"}})


FAULTS: dict[str, Action] = {
    **{str(status): Status(status) for status in (500, 502, 503, 504, 401, 403, 404, 409)},
    "429": Status(429, retry_after=3, code="activityLimitReached"),
    **{f"410 {code}": Status(410, code=code) for code in RESYNCS},
    "reset": Reset(after=0),
    "reset in the answer": Reset(after=200),
    "cut": Truncate(after=150),
    "lost": LoseAnswer(),
    "html": Html(503),
    "html, 200": Body(b"<html></html>"),
    "garbage": Body(b"\x00\xff{"),
    "half of it": Body(b'{"value": [{"id"'),
    "nothing": Body(b"{}"),
    "a list": Body(b"[]"),
    "no id": Changed(lambda page: page["value"].append({"name": "x"})),
    "twice": Changed(_twice),
    "children first": Changed(_children_first),
    "no path": Changed(_no_path),
    "no parent": Changed(_no_parent),
    "circle": Changed(_circle),
    "strangers": Changed(_strangers),
    "no link": Changed(
        lambda page: [page.pop(name, None) for name in ("@odata.nextLink", "@odata.deltaLink")] and None
    ),
}


def _fill(world: Mirrored) -> None:
    for path in ("/a/b/c.txt", "/a/d.txt", "/e/f.txt", "/g.txt", "/e/h/i.txt"):
        world.drive.put(path, path.encode())


def _stir(world: Mirrored) -> None:
    world.drive.put("/new/x.txt", b"new")
    world.drive.move("/a/b", "/e/b2")
    world.drive.delete("/e/h")
    world.drive.put("/g.txt", b"longer than before")
    world.drive.move("/a/d.txt", "/d2.txt")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_at_each_page(world: Mirrored, name: str) -> None:
    """Whichever page it hits, in a first enumeration or later, some rounds after it all is well."""
    _fill(world)
    for place in (1, 2, 3):
        world.emulator.faults.add("delta", FAULTS[name], nth=place)
        rounds(world)
        rounds(world)
        assert_true(world)
        world.emulator.faults.clear()
        world.drive.put(f"/more{place}/y.txt", b"y")
        world.drive.delete("/e/f.txt" if place == 1 else f"/more{place - 1}")
        world.emulator.faults.add("delta", FAULTS[name])
        rounds(world)
        rounds(world)
        assert_true(world)


@pytest.mark.parametrize("seed", range(6))
def test_many_faults_at_random(world: Mirrored, seed: int) -> None:
    """Faults, quirks and changes in any order: when it is over, the mirror is the truth."""
    dice = random.Random(seed)
    _fill(world)
    for _ in range(6):
        quirks = world.emulator.quirks
        quirks.short_pages, quirks.delta_backwards = dice.random() < 0.5, dice.random() < 0.5
        quirks.listing_lag, quirks.lookup_lag = dice.choice([0, 2]), dice.choice([0, 1])
        for _ in range(dice.randrange(4)):
            world.emulator.faults.add("delta", FAULTS[dice.choice(list(FAULTS))], nth=dice.randint(1, 5))
        world.drive.put(f"/{dice.choice('aegz')}/{dice.choice('klm')}.txt", b"x" * dice.randrange(9))
        if dice.random() < 0.3 and world.drive.exists("/a/d.txt"):
            _stir(world)
        if dice.random() < 0.3:
            world.drive.expire_delta(dice.choice(RESYNCS))
        try:
            world.round()
        except BridgeError:
            put(world.driver, f"/ours{dice.randrange(3)}.txt", b"ours")
    world.emulator.faults.clear()
    rounds(world)
    rounds(world)
    assert_true(world)


def test_no_page_is_asked_for_twice(world: Mirrored) -> None:
    """A connection that is lost for good between two pages: the next round, of another process, begins there."""
    for number in range(20):
        world.drive.put(f"/{number}.txt", b"x")
    world.emulator.faults.add("delta", Reset(), nth=4, times=5)
    with world.emulator.calls.counting() as counted, pytest.raises(BadUpstream):
        world.round()
    assert counted.operations.count("delta") == 3 + 5
    standing = world.sync.standing
    assert (standing.phase, standing.pages) == ("first", 3)
    another = DeltaSync(world.sync._graph, world.drive.id, world.file, "another")
    assert world.calls(another.round) == ["delta"] * 4, "21 items are 7 pages"
    assert_true(world)


def test_short_throttling_is_waited_for(world: Mirrored) -> None:
    """A 429 between two pages: as long as Retry-After says, and the same page again."""
    _fill(world)
    world.emulator.faults.add("delta", Status(429, retry_after=20), nth=2)
    clock = world.file.clock
    assert isinstance(clock, HastyClock)
    world.round()
    assert clock.slept >= 20
    assert_true(world)


def test_long_throttling_is_told(world: Mirrored) -> None:
    """Ten minutes are the poller's to wait: it is told how long."""
    _fill(world)
    world.emulator.faults.add("delta", Status(429, retry_after=600), nth=2)
    with pytest.raises(Busy) as told:
        world.round()
    assert told.value.retry_after == pytest.approx(600, abs=1)


@pytest.mark.parametrize("before", [False, True], ids=["never live", "live before"])
def test_no_delta(world: Mirrored, before: bool) -> None:
    """Where delta is not to be had, folders are read again after their time; when it comes, the drive is live."""
    _fill(world)
    if before:
        world.round()
        world.drive.expire_delta()
    world.emulator.faults.add("delta", Status(400, code="notSupported"), times=4)
    for _ in range(2):
        with pytest.raises(Unsupported):
            world.round()
        assert world.sync.standing.phase == "none"
    world.drive.delete("/g.txt")
    world.driver.forget()
    assert paths(world.driver) == truth(world)
    world.emulator.faults.clear()
    rounds(world)
    assert_true(world)


def test_a_circle_ends(world: Mirrored) -> None:
    """A nextLink that leads back is followed once; the round begins again, and what it had gathered is forgotten."""
    _fill(world)
    world.round()
    world.drive.expire_delta()
    back: list[str] = []

    def lead_back(page: Json) -> None:
        if "@odata.nextLink" in page:
            back.append(page["@odata.nextLink"])
            page["@odata.nextLink"] = back[0]

    world.emulator.faults.add("delta", Changed(lead_back), nth=2, times=6)
    with pytest.raises(BadUpstream, match="circle"):
        world.round()
    world.emulator.faults.clear()
    world.drive.delete("/a")
    rounds(world)
    assert_true(world)


def test_what_went_before_a_first_enumeration(world: Mirrored) -> None:
    """Rows of before that delta will never tell of, since they are gone, do not stay for ever."""
    _fill(world)
    paths(world.driver)
    world.drive.delete("/a")
    world.file.clock.sleep(1)
    world.round()
    assert_true(world)


def test_names_that_are_no_text(world: Mirrored) -> None:
    """Half of a surrogate pair in a name: Windows can make such names, SQLite cannot store them."""
    _fill(world)

    def odd(page: Json) -> None:
        for item in page["value"]:
            if item.get("name") == "g.txt":
                item["name"] = "g\ud83d.txt"

    world.emulator.faults.add("delta", Changed(odd), times=9)
    rounds(world)
    assert any(name.startswith("g") for name in world.names("/"))
