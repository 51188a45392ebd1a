"""The webhook end to end: the emulator's Graph calls the bridge's own server, over plain HTTP on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import LoseAnswer, Status
from davbridge.graph import Graph
from davbridge.push import PushChannel, SubscriptionTable, WebhookSettings, open_channel
from davbridge.push.listening import Listening
from davbridge.push.table import Kept
from davbridge.push.webhook import WebhookWay, is_public
from davbridge.redact import Secret
from tests.push.channel_contract import ChannelContract
from tests.push.harness import FAST, Listen, Listener, ShiftedClock
from tests.push.hook import NAME, Hook


@pytest.fixture
def clock() -> ShiftedClock:
    """The channel's clock."""
    return ShiftedClock()


@pytest.fixture
def settings(hook: Hook, table: SubscriptionTable) -> WebhookSettings:
    """Where the emulator is told to call."""
    return WebhookSettings(hook.url, NAME, table)


@pytest.fixture
def channel(emulator: Emulator, graph: Graph, settings: WebhookSettings, clock: ShiftedClock) -> PushChannel:
    """A channel of the business drive, by webhook alone."""
    drive = emulator.drive("business").id
    return Listening([WebhookWay(graph, drive, settings, clock)], drive, clock, FAST)


@pytest.fixture
def listen(listen: Listen, hook: Hook) -> Iterator[Listen]:
    """Channels that hear what the endpoint takes in."""

    def start(channel: PushChannel) -> Listener:
        listener = listen(channel)
        hook.listeners.append(listener.changed)
        return listener

    yield start
    hook.listeners.clear()


def change(emulator: Emulator, graph: Graph) -> None:
    """By the API, since the emulator looks for what to tell with each call."""
    drive = emulator.drive("business").id
    graph.call("PUT", f"/drives/{drive}/root:/a.txt:/content", data=b"x", headers={"Content-Type": "text/plain"})


class TestWebhook(ChannelContract):
    """The contract."""

    operation = "subscriptions"

    def change(self, emulator: Emulator, graph: Graph) -> None:
        change(emulator, graph)


def test_the_end(emulator: Emulator, channel: PushChannel, listen: Listen, table: SubscriptionTable) -> None:
    """The subscription is deleted, and forgotten."""
    listener = listen(channel)
    listener.wait()
    (made,) = emulator.world.subscriptions.values()
    kept = table.get(NAME)
    assert kept is not None
    assert (kept.id, kept.state.reveal()) == (made.id, made.state)
    listener.end()
    assert not emulator.world.subscriptions
    assert table.get(NAME) is None


def test_an_end_that_fails(
    emulator: Emulator, graph: Graph, channel: PushChannel, listen: Listen, table: SubscriptionTable
) -> None:
    """The next start renews what is left, with the same secret: it does not add another."""
    listener = listen(channel)
    listener.wait()
    (made,) = emulator.world.subscriptions.values()
    emulator.faults.add("subscriptions", Status(500))
    assert listener.end() < 1.5
    assert table.get(NAME) is not None
    again = listen(channel)
    again.wait()
    assert list(emulator.world.subscriptions) == [made.id]
    assert [call.method for call in emulator.calls.list()] == ["POST", "DELETE", "PATCH"]
    change(emulator, graph)
    again.wait()


def test_renewal(
    emulator: Emulator,
    channel: PushChannel,
    listen: Listen,
    clock: ShiftedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At half of its life it gets a new one; one that Graph knows no more is made anew."""
    caplog.set_level(logging.INFO, "davbridge.push")
    listener = listen(channel)
    listener.wait()
    (made,) = emulator.world.subscriptions.values()
    before = made.expires
    clock.advance(13 * 3600)
    listener.wait()
    assert (made.expires - before).total_seconds() == pytest.approx(13 * 3600, abs=60)
    emulator.world.subscriptions.clear()
    clock.advance(13 * 3600)
    listener.wait()
    assert len(emulator.world.subscriptions) == 1
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_an_answer_that_is_lost(emulator: Emulator, graph: Graph, channel: PushChannel, listen: Listen) -> None:
    """The second try finds the first one's subscription, and takes its place."""
    emulator.faults.add("subscriptions", LoseAnswer())
    listener = listen(channel)
    listener.wait()
    assert len(emulator.world.subscriptions) == 1
    change(emulator, graph)
    listener.wait()


def test_a_state_file_that_was_lost(
    emulator: Emulator, graph: Graph, channel: PushChannel, listen: Listen, table: SubscriptionTable
) -> None:
    """As if the answer had been."""
    emulator.faults.add("subscriptions", Status(500), nth=2)
    listener = listen(channel)
    listener.wait()
    listener.end()
    table.forget(NAME)
    again = listen(channel)
    again.wait()
    assert len(emulator.world.subscriptions) == 1
    change(emulator, graph)
    again.wait()


def test_another_address(
    emulator: Emulator, channel: PushChannel, listen: Listen, table: SubscriptionTable, hook: Hook
) -> None:
    """A subscription that tells a former public address is deleted."""
    listener = listen(channel)
    listener.wait()
    kept = table.get(NAME)
    assert kept is not None
    emulator.faults.add("subscriptions", Status(500))
    listener.end()
    table.put(NAME, replace(kept, url="http://127.0.0.1:1/former"))
    listen(channel).wait()
    (made,) = emulator.world.subscriptions.values()
    assert made.id != kept.id


def test_somebody_elses(emulator: Emulator, channel: PushChannel, listen: Listen) -> None:
    """A subscription that tells another address is not ours to delete."""
    emulator.faults.add("subscriptions", Status(409, code="ObjectIdentifierInUse"))
    listener = listen(channel)
    listener.wait_for("unavailable")
    assert "another program" in listener.channel.state.reason


def test_an_address_that_cannot_be_reached(
    emulator: Emulator, graph: Graph, channel: PushChannel, listen: Listen, hook: Hook, table: SubscriptionTable
) -> None:
    """Tried some times, since the server may be about to start; then seldom."""
    settings = WebhookSettings("http://127.0.0.1:1", NAME, table)
    drive = emulator.drive("business").id
    clock = ShiftedClock()
    listener = listen(Listening([WebhookWay(graph, drive, settings, clock)], drive, clock, FAST))
    listener.wait_for("unavailable")
    assert "public address" in listener.channel.state.reason
    assert len(emulator.calls.list()) == 6


def test_the_socket_comes_first(
    emulator: Emulator, graph: Graph, settings: WebhookSettings, listen: Listen, clock: ShiftedClock
) -> None:
    """The webhook is for where there is no socket."""
    drive = emulator.drive("business").id
    made = open_channel(graph, drive, verify=emulator.ca_file, clock=clock, webhook=settings, pacing=FAST)
    listener = listen(made)
    listener.wait()
    assert listener.channel.state.way == "socket"
    listener.end()
    emulator.faults.add("socket.io", Status(404))
    again = listen(open_channel(graph, drive, verify=emulator.ca_file, clock=clock, webhook=settings, pacing=FAST))
    again.wait()
    assert again.channel.state.way == "webhook"


def test_nothing_secret_is_logged(
    emulator: Emulator, graph: Graph, channel: PushChannel, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the clientState, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    listener = listen(channel)
    listener.wait()
    (made,) = emulator.world.subscriptions.values()
    change(emulator, graph)
    listener.wait()
    listener.end()
    assert made.state
    assert made.state not in caplog.text


def test_public() -> None:
    """Only what Graph could call."""
    assert is_public("https://dav.example.com")
    for url in (None, "", "http://dav.example.com", "https://", "https://user@dav.example.com", "dav.example.com"):
        assert not is_public(url)


def test_a_secret_that_is_kept_cannot_be_printed(table: SubscriptionTable) -> None:
    """Not even with what it belongs to."""
    table.put(NAME, Kept("https://dav.example.com", Secret("s3cret")))
    assert "s3cret" not in repr(table.get(NAME))
