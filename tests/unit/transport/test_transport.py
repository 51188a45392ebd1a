"""The transport: retries, the shared gate, deadlines, and where a token goes; with a wire that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from davbridge import caller, deadline
from davbridge.caller import Caller, Purpose
from davbridge.clock import ManualClock, SystemClock
from davbridge.errors import BadUpstream, Busy, UnknownOutcome
from davbridge.precedence import PRECEDENCE
from davbridge.redact import Secret
from davbridge.tokens import FixedToken
from davbridge.transport import HostRules, Outgoing, Reply, RetryPolicy, Transport
from davbridge.transport.fairqueue import PLACES
from davbridge.transport.retry import retry_after
from davbridge.transport.wire import Broken
from tests.support.world import eventually

GRAPH = "https://graph.example/v1.0"
TOKEN = FixedToken("t0ken")


class Script:
    """A wire that gives prepared answers, the last one for ever, and remembers what was sent."""

    def __init__(self, *steps: Reply | Exception) -> None:
        self.steps = list(steps)
        self.sent: list[tuple[Outgoing, Mapping[str, str]]] = []

    def send(self, request: Outgoing, headers: Mapping[str, str], timeout: float) -> Reply:
        self.sent.append((request, headers))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        """Nothing is open."""


def status(code: int, **headers: str) -> Reply:
    """An answer; header names with `_` for `-`."""
    return Reply(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


def transport(script: Script, clock: ManualClock) -> Transport:
    """A transport over the script, without jitter."""
    return Transport(clock, hosts=HostRules(GRAPH), policy=RetryPolicy(jitter=0), wire=script)  # type: ignore[arg-type]


READ = Outgoing("GET", GRAPH + "/me", auth=TOKEN, safe=True)
WRITE = Outgoing("POST", GRAPH + "/me", auth=TOKEN)


@pytest.mark.parametrize("code", [429, 503, 509])
def test_throttling_is_waited_for(code: int) -> None:
    """The pause that the server names, then the same request again, also for a write."""
    clock, script = ManualClock(), Script(status(code, retry_after="7"), status(200))
    assert transport(script, clock).send(WRITE).status == 200
    assert clock.pauses == [7.0]
    assert len(script.sent) == 2


def test_a_pause_of_no_time_is_no_licence_to_hammer() -> None:
    """A server that says "after 0 seconds" again and again is asked at most twice a second."""
    clock, script = ManualClock(), Script(*[status(503, retry_after="0")] * 4, status(200))
    assert transport(script, clock).send(READ).status == 200
    assert clock.pauses == [0.5] * 4


def test_a_long_pause_is_told_at_once_and_kept_for_all() -> None:
    """Longer than the deadline: Busy with the delay; the next request is not sent; after the pause it is."""
    clock, script = ManualClock(), Script(status(429, retry_after="120"), status(200))
    sender = transport(script, clock)
    with deadline.within(clock, 25), pytest.raises(Busy) as busy:
        sender.send(READ)
    assert busy.value.retry_after == 120
    with deadline.within(clock, 25), pytest.raises(Busy):
        sender.send(READ)
    assert len(script.sent) == 1
    clock.advance(121)
    assert sender.send(READ).status == 200


@pytest.mark.parametrize("code", [500, 502, 504])
def test_server_errors(code: int) -> None:
    """A read is tried again, a write is not: it may have happened."""
    clock, script = ManualClock(), Script(status(code), status(200))
    assert transport(script, clock).send(READ).status == 200
    script = Script(status(code))
    with pytest.raises(UnknownOutcome):
        transport(script, clock).send(WRITE)
    assert len(script.sent) == 1
    with pytest.raises(BadUpstream):
        transport(Script(status(code)), clock).send(READ)


def test_backoff_doubles() -> None:
    """0.5, 1, 2, 4 seconds."""
    clock = ManualClock()
    with pytest.raises(BadUpstream):
        transport(Script(status(500)), clock).send(READ)
    assert clock.pauses == [0.5, 1, 2, 4]


@pytest.mark.parametrize(("request_", "sent", "error"), [(WRITE, True, UnknownOutcome), (READ, True, BadUpstream)])
def test_a_broken_connection(request_: Outgoing, sent: bool, error: type[Exception]) -> None:
    """A write whose bytes may have arrived has an unknown outcome; a read is only unavailable."""
    with pytest.raises(error):
        transport(Script(Broken("x", sent=sent)), ManualClock()).send(request_)


def test_a_connection_that_was_never_made() -> None:
    """Nothing was sent, so a write is tried again, too."""
    script = Script(Broken("x", sent=False), status(201))
    assert transport(script, ManualClock()).send(WRITE).status == 201


def test_401_refreshes_once() -> None:
    """Another token, then the answer is handed up; the claims of a challenge are passed on."""
    asked: list[tuple[Secret | None, str | None]] = []

    class Tokens:
        def token(self, *, refused: Secret | None = None, claims: str | None = None) -> Secret:
            asked.append((refused, claims))
            return Secret("x")

    challenge = 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ"'
    script = Script(status(401, www_authenticate=challenge), status(401))
    request = Outgoing("GET", GRAPH + "/me", auth=Tokens(), safe=True)
    assert transport(script, ManualClock()).send(request).status == 401
    assert asked == [(None, None), (Secret("x"), '{"a":1}')]


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.example/x",
        "https://graph.example:8443/v1.0/me",
        "http://graph.example/v1.0/me",
        "https://graph.example.evil.test/v1.0/me",
        "https://user@graph.example/v1.0/me",
    ],
)
def test_a_token_goes_to_graph_only(url: str) -> None:
    """Any other host, port or scheme is refused before anything is sent (law 8)."""
    script = Script(status(200))
    with pytest.raises(BadUpstream):
        transport(script, ManualClock()).send(Outgoing("GET", url, auth=TOKEN, safe=True))
    assert script.sent == []


def test_pre_authenticated_urls_get_no_token() -> None:
    """And are followed over https only."""
    script = Script(status(200))
    transport(script, ManualClock()).send(Outgoing("GET", Secret("https://storage.example/x?sig=1"), safe=True))
    assert "Authorization" not in script.sent[0][1]
    with pytest.raises(BadUpstream):
        transport(script, ManualClock()).send(Outgoing("GET", "http://storage.example/x", safe=True))


def test_redirects_are_handed_up() -> None:
    """A 302 is an answer, not an order."""
    script = Script(status(302, location="https://elsewhere.example/"))
    assert transport(script, ManualClock()).send(READ).status == 302
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "Tue, 03 Mar 2026 09:10:21 GMT"}, 10.0),
        ({"retry-after": "5", "ratelimit-remaining": "0", "ratelimit-reset": "9"}, 9.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "1e9"}, 3600.0),
        ({"retry-after": "later"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or a date; the greater of the two headers; bounded."""
    assert retry_after(headers, datetime(2026, 3, 3, 9, 10, 11, tzinfo=UTC)) == seconds


def test_once(caplog: pytest.LogCaptureFixture) -> None:
    """A caller with a rhythm of its own: no second try, no log line; throttling closes the gate all the same."""
    clock, script = (
        ManualClock(),
        Script(Broken("no connection", sent=False), status(500), status(429, retry_after="9")),
    )
    sender, read = transport(script, clock), replace(READ, once=True)
    for error in (BadUpstream, BadUpstream, Busy):
        with pytest.raises(error):
            sender.send(read)
    assert (len(script.sent), clock.pauses, caplog.records) == (3, [], [])
    with deadline.within(clock, 5), pytest.raises(Busy):
        sender.send(read)
    assert len(script.sent) == 3


class Slow(Script):
    """A wire on which Graph answers when it is told to, and other hosts at once."""

    def __init__(self) -> None:
        super().__init__(status(200))
        self.answers = threading.Event()

    def send(self, request: Outgoing, headers: Mapping[str, str], timeout: float) -> Reply:
        reply = super().send(request, headers, timeout)
        if request.address.startswith(GRAPH):
            assert self.answers.wait(10)
        return reply


def test_places_at_graph() -> None:
    """So many calls at a time for one purpose; another purpose, and contents on other hosts, do not wait for them."""
    clock, wire = SystemClock(), Slow()
    sender = Transport(clock, hosts=HostRules(GRAPH), wire=wire)  # type: ignore[arg-type]

    def ask(purpose: Purpose) -> threading.Thread:
        def send() -> None:
            with caller.acting_for(Caller("alice", purpose)):
                sender.send(READ)

        thread = threading.Thread(target=send)
        thread.start()
        return thread

    places = PLACES[Purpose.METADATA]
    threads = [ask(Purpose.METADATA) for _ in range(places)]
    eventually(lambda: len(wire.sent) == places)
    with caller.acting_for(Caller("bob", Purpose.METADATA)), deadline.within(clock, 0.05), pytest.raises(Busy):
        sender.send(READ)
    threads.append(ask(Purpose.DOWNLOAD))
    eventually(lambda: len(wire.sent) == places + 1)
    sender.send(Outgoing("GET", Secret("https://storage.example/x?sig=1"), safe=True))
    assert len(wire.sent) == places + 2
    wire.answers.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_nobody_gives_way_to_who_waits_for_microsoft() -> None:
    """A small request has no precedence while its answer is on its way, and has it again after it, whatever it is."""
    seen: list[int] = []

    class Watched(Script):
        def send(self, request: Outgoing, headers: Mapping[str, str], timeout: float) -> Reply:
            seen.append(PRECEDENCE.answering)
            return super().send(request, headers, timeout)

    PRECEDENCE.begin()
    try:
        transport(Watched(status(200)), ManualClock()).send(READ)
        seen.append(PRECEDENCE.answering)
        with pytest.raises(BadUpstream):
            transport(Watched(Broken("reset", sent=False)), ManualClock()).send(READ)
        seen.append(PRECEDENCE.answering)
    finally:
        PRECEDENCE.end()
    assert (seen[0], seen[1], seen[-2], seen[-1]) == (0, 1, 0, 1)
