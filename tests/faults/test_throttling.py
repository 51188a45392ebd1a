"""Throttling: short pauses are waited for, long ones are told, and nobody is told that a file is gone."""

from __future__ import annotations

import pytest

from davbridge.emulator.faults import Html, LoseAnswer, Status
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

CONTENT = b"content"


@pytest.fixture(autouse=True)
def stored(world: World, mount: str) -> None:
    """`/a.txt` on the drive, of which the bridge knows nothing yet."""
    world.emulator.drive(MOUNTS[mount]).put("/a.txt", CONTENT)


@pytest.fixture(autouse=True)
def isolated(world: World) -> None:
    """A pause that a former test has set must not reach into this one, and nobody else takes its faults."""
    assert not world.workers, "another bridge asks the same emulator"
    for transport in world.bridge.transports:
        transport.reset_gates()


REQUESTS = {
    "GET": lambda dav: dav.get("a.txt"),
    "PROPFIND": lambda dav: dav.propfind("", depth=1),
    "PUT": lambda dav: dav.put("a.txt", b"new"),
    "MKCOL": lambda dav: dav.mkcol("d"),
    "MOVE": lambda dav: dav.move("a.txt", "b.txt"),
    "DELETE": lambda dav: dav.delete("a.txt"),
}
GOOD = {"GET": 200, "PROPFIND": 207, "PUT": 204, "MKCOL": 201, "MOVE": 201, "DELETE": 204}


@pytest.mark.parametrize("verb", REQUESTS)
def test_two_seconds_are_waited_for(world: World, dav: Dav, verb: str) -> None:
    """A 429 of two seconds: the client only waits."""
    world.emulator.faults.add("*", Status(429, retry_after=2, code="activityLimitReached"))
    begin = world.clock.slept
    answer = REQUESTS[verb](dav)
    assert answer.status == GOOD[verb]
    assert round(world.clock.slept - begin, 6) >= 2


@pytest.mark.parametrize("verb", REQUESTS)
def test_two_minutes_are_told(world: World, dav: Dav, mount: str, verb: str) -> None:
    """A 429 of two minutes: 503 with Retry-After at once, the old bytes, and no further call while the gate is shut."""
    world.emulator.faults.add("*", Status(429, retry_after=120, code="activityLimitReached"))
    answer = REQUESTS[verb](dav)
    assert answer.status == 503
    assert 100 <= int(answer.header("Retry-After")) <= 120
    drive = world.emulator.drive(MOUNTS[mount])
    assert drive.tree() == {"/a.txt": CONTENT}
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.txt").status == 503
    assert calls.graph == 0, "rejected calls prolong the throttling"


def test_everything_is_throttled_for_long(world: World, dav: Dav) -> None:
    """The engine of the emulator itself throttles: still 503, never 404."""
    world.emulator.quirks.resource_units_per_minute = 1
    dav.mkcol("d", check=503)
    dav.get("a.txt", check=503)


@pytest.mark.parametrize("fault", [Html(503), Html(502), Status(500), LoseAnswer()], ids=repr)
def test_a_hiccup_while_reading(world: World, dav: Dav, fault: object) -> None:
    """One bad answer to a read is not seen."""
    world.emulator.faults.add("*", fault)  # type: ignore[arg-type]
    assert dav.get("a.txt", check=200).body == CONTENT


def test_trouble_in_mid_listing(world: World, dav: Dav, mount: str) -> None:
    """A second page that does not come is a 5xx, and no short listing."""
    drive = world.emulator.drive(MOUNTS[mount])
    for number in range(250):
        drive.put(f"/many/{number}.txt", b"x")
    world.emulator.faults.add("list children", Status(500), times=20)
    assert dav.propfind("many", depth=1).status in (502, 503)
    world.emulator.faults.clear()
    assert len(dav.propfind("many", depth=1, check=207).resources) == 251


@pytest.mark.parametrize("operation", ["update item", "create folder", "delete item"])
def test_a_write_whose_answer_is_lost(world: World, dav: Dav, mount: str, operation: str) -> None:
    """The bridge looks what has happened before it answers (law 3)."""
    verb = {"update item": "MOVE", "create folder": "MKCOL", "delete item": "DELETE"}[operation]
    world.emulator.faults.add(operation, LoseAnswer())
    assert REQUESTS[verb](dav).status == GOOD[verb]


def test_the_sign_in_has_ended(world: World, dav: Dav) -> None:
    """Trouble with Microsoft's sign-in is 503 and never 401, which would cost the client its password."""
    for token in world.emulator.world.tokens.values():
        token.good = False
    world.emulator.faults.add("token", Status(400, body=b'{"error":"invalid_grant","error_codes":[50173]}'), times=9)
    answer = dav.get("a.txt")
    assert answer.status == 503
    assert "WWW-Authenticate" not in answer.headers
