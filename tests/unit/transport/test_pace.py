"""The pace before throttling: what Graph announces, how it is spread, and that it is kept by all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from davbridge import deadline
from davbridge.clock import ManualClock
from davbridge.errors import Busy
from davbridge.redact import Secret
from davbridge.tokens import FixedToken
from davbridge.transport import HostRules, MemoryGates, Outgoing, Reply, RetryPolicy, Transport
from davbridge.transport.pace import Budget, Pace

GRAPH = "https://graph.example/v1.0"
READ = Outgoing("GET", GRAPH + "/me", auth=FixedToken("t0ken"), safe=True)


def told(limit: str, remaining: str, reset: str) -> dict[str, str]:
    """The three headers."""
    return {"ratelimit-limit": limit, "ratelimit-remaining": remaining, "ratelimit-reset": reset}


@pytest.mark.parametrize(
    ("headers", "budget"),
    [
        ({}, None),
        (told("1250", "250", "30"), Budget(1250, 250, 30)),
        (told("1250, 1250;w=60", " 250", "30"), Budget(1250, 250, 30)),
        (told("1250", "0", "0"), Budget(1250, 0, 1)),
        (told("1250", "10", "999999"), Budget(1250, 10, 300)),
        (told("0", "0", "30"), None),
        (told("1250", "-3", "30"), None),
        (told("1250", "many", "30"), None),
        (told("1250", "٣", "30"), None),
        ({"ratelimit-remaining": "3"}, None),
    ],
)
def test_what_is_announced(headers: dict[str, str], budget: Budget | None) -> None:
    """Whole headers of sense only; a reset is neither at once nor in hours."""
    assert Budget.told(headers) == budget


def spread(budget: Budget, count: int) -> list[float]:
    """When `count` requests leave that all come at 100, with no news."""
    pace, now, times = Pace.of(budget, 100.0, None), 100.0, []
    for _ in range(count):
        now += pace.wait(now)
        times.append(now - 100)
        pace = pace.taken(now)
    return times


def test_what_is_left_is_spread() -> None:
    """A hundred requests at two units each, after the reserve, over thirty seconds; then the limit's own rate."""
    times = spread(Budget(1000, 250, 30), 110)
    assert times[0] == 0
    assert times[1] == pytest.approx(0.3)
    assert sum(time < 29.99 for time in times) == 100
    assert [late - early for early, late in pairwise(times[102:])] == pytest.approx([0.12] * 7)


def test_never_faster_than_the_limit() -> None:
    """A reset that is near may bring back little: what is left is not spent on it."""
    assert spread(Budget(1200, 250, 1), 3) == pytest.approx([0, 0.1, 0.2])


def test_nothing_is_left() -> None:
    """Nobody goes before the reset, and one alone then."""
    assert spread(Budget(1200, 50, 20), 3) == pytest.approx([20, 40, 60])


def test_a_reset_that_brings_nothing() -> None:
    """The probe's answer says the same: twice the time, up to the minute; and it is spread again once there is some."""
    pace, now, waits = Pace.of(Budget(1000, 20, 2), 100.0, None), 100.0, []
    for _ in range(7):
        waits.append(pace.wait(now))
        now += waits[-1]
        pace = Pace.of(Budget(1000, 20, 2), now, pace.taken(now))
    assert waits == pytest.approx([2, 4, 8, 16, 32, 60, 60])
    assert Pace.of(Budget(1000, 250, 30), now + 1, pace.taken(now)).wait(now + 1) == 0


def test_the_same_news_twice() -> None:
    """Answers to requests that were under way together make nobody wait longer."""
    pace = Pace.of(Budget(1000, 20, 20), 100.0, None)
    assert Pace.of(Budget(1000, 18, 20), 100.1, pace).wait(100.1) == pytest.approx(20)


def test_newer_news_keep_the_distance() -> None:
    """A new budget does not let two requests go at once."""
    former = Pace.of(Budget(1000, 250, 30), 100.0, None).taken(100.0)
    assert Pace.of(Budget(1000, 250, 30), 100.1, former).wait(100.1) == pytest.approx(0.2)


def test_it_ends_by_itself() -> None:
    """Some seconds after the reset."""
    pace = Pace.of(Budget(1000, 250, 30), 100.0, None)
    assert pace.is_kept(135)
    assert not pace.is_kept(141)


class Announcing:
    """A wire whose answers announce a budget that each request lessens."""

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining

    def send(self, request: Outgoing, *_: object) -> Reply:
        self.remaining -= 2
        return Reply(200, told("1000", str(self.remaining), "30"), b"{}")

    def close(self) -> None:
        """Nothing is open."""


def transport(clock: ManualClock, wire: Announcing) -> Transport:
    """A transport with gates of its own."""
    hosts, policy = HostRules(GRAPH), RetryPolicy(jitter=0)
    return Transport(clock, hosts=hosts, policy=policy, wire=wire, gates=MemoryGates(clock))  # type: ignore[arg-type]


def test_requests_are_spread() -> None:
    """Once an answer has told a budget, the requests after it keep the pace that follows from the newest one."""
    clock = ManualClock()
    sender = transport(clock, Announcing(252))
    for _ in range(4):
        sender.send(READ)
    assert clock.pauses == pytest.approx([30 / 99, 30 / 98], rel=0.02)


def test_an_empty_budget_is_told() -> None:
    """A renewal that is too far away is a pause as any other: Busy at once, and nothing is sent."""
    clock, wire = ManualClock(), Announcing(20)
    sender = transport(clock, wire)
    sender.send(READ)
    with deadline.within(clock, 25), pytest.raises(Busy) as busy:
        sender.send(READ)
    assert busy.value.retry_after == pytest.approx(30)
    assert wire.remaining == 18


def test_contents_do_not_wait_for_graph() -> None:
    """A pre-authenticated URL is on another host, and keeps that one's pace."""
    clock = ManualClock()
    sender = transport(clock, Announcing(20))
    sender.send(READ)
    sender.send(Outgoing("GET", Secret("https://storage.example/x?sig=1"), safe=True))
    assert clock.pauses == []


def test_an_answer_inside_a_batch_is_heeded() -> None:
    """The outer answer says nothing of the budget."""
    clock = ManualClock()
    sender = transport(clock, Announcing(252))
    sender.heed(GRAPH, Reply(200, told("1000", "10", "20")))
    sender.send(READ)
    assert clock.pauses == pytest.approx([20])
