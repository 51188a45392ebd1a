"""The socket channel against the emulator's, over TLS."""

from __future__ import annotations

import logging

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import LoseAnswer, Status
from davbridge.emulator.world import SITE_HOST
from davbridge.graph import Graph
from davbridge.push import PushChannel, open_channel
from tests.push.channel_contract import ChannelContract
from tests.push.harness import FAST, Listen, ShiftedClock
from tests.support.world import eventually


@pytest.fixture
def clock() -> ShiftedClock:
    """The channel's clock."""
    return ShiftedClock()


@pytest.fixture
def channel(emulator: Emulator, graph: Graph, clock: ShiftedClock) -> PushChannel:
    """A channel of the business drive."""
    return open_channel(graph, emulator.drive("business").id, verify=emulator.ca_file, clock=clock, pacing=FAST)


class TestSocket(ChannelContract):
    """The contract."""

    operation = "socket.io"

    def change(self, emulator: Emulator, graph: Graph) -> None:
        emulator.drive("business").put("/a.txt", b"x")


@pytest.mark.parametrize("name", ["personal", "personal-migrated", "documents"])
def test_every_kind_of_drive(emulator: Emulator, graph: Graph, listen: Listen, name: str) -> None:
    """Each has a channel of its own, that tells nothing of other drives."""
    drive = emulator.drive(name)
    listener = listen(open_channel(graph, drive.id, verify=emulator.ca_file, clock=ShiftedClock(), pacing=FAST))
    listener.wait()
    emulator.drive("business").put("/a.txt", b"x")
    drive.put("/a.txt", b"x")
    listener.wait()
    assert listener.heard == 2


def test_the_address_has_expired(
    emulator: Emulator, channel: PushChannel, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """The service ends the channel with a `41`: another address is asked for."""
    caplog.set_level(logging.INFO, "davbridge")
    listener = listen(channel)
    listener.wait()
    emulator.clock.advance(3700)
    listener.wait()
    emulator.drive("business").put("/a.txt", b"x")
    listener.wait()
    assert "has ended the channel" in caplog.text


def test_an_address_that_is_not_taken(emulator: Emulator, channel: PushChannel, listen: Listen) -> None:
    """Refused or reset, it is given up for a new one."""
    emulator.faults.add("socket", Status(401))
    emulator.faults.add("socket", LoseAnswer(), nth=2)
    listen(channel).wait()
    assert [call.operation for call in emulator.calls.list()].count("socket.io") == 3


def test_renewal(
    emulator: Emulator, channel: PushChannel, listen: Listen, clock: ShiftedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Two minutes before its address expires the channel is opened anew, which is no loss."""
    caplog.set_level(logging.DEBUG, "davbridge")
    listener = listen(channel)
    listener.wait()
    clock.advance(3470)
    emulator.drive("business").put("/a.txt", b"x")
    listener.wait()
    assert len(emulator.calls.list()) == 2
    clock.advance(20)
    listener.wait()
    assert len(emulator.calls.list()) == 4
    assert [record.levelname for record in caplog.records if record.name == "davbridge.push"] == ["INFO"]


def test_pings(emulator: Emulator, channel: PushChannel, listen: Listen) -> None:
    """The channel that answers them stays."""
    emulator.quirks.socket_ping_seconds = 0.02
    listener = listen(channel)
    listener.wait()
    for number in range(20):
        emulator.drive("business").put(f"/{number}.txt", b"x")
        listener.wait()
    assert [call.operation for call in emulator.calls.list()] == ["socket.io", "socket"]


def test_proxy(emulator: Emulator, channel: PushChannel, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out is the environment's, and TLS goes through it to the service itself."""
    monkeypatch.setenv("https_proxy", emulator.proxy_url.replace("http://", "http://user:pass@"))
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setattr(emulator.world, "content_url", f"https://{SITE_HOST}")
    listen(channel).wait()


def test_a_proxy_that_lets_nobody_through(
    emulator: Emulator, channel: PushChannel, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not gone around."""
    monkeypatch.setenv("https_proxy", emulator.proxy_url)
    monkeypatch.setenv("no_proxy", "localhost")
    listener = listen(channel)
    eventually(lambda: "cannot be reached" in listener.channel.state.reason)
    assert listener.heard == 0


def test_nothing_secret_is_logged(
    emulator: Emulator, channel: PushChannel, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at DEBUG, by no library, and without the filter that would remove it."""
    caplog.set_level(logging.DEBUG)
    emulator.faults.add("socket", Status(401))
    emulator.faults.add("socket", LoseAnswer(), nth=2)
    listener = listen(channel)
    listener.wait()
    emulator.drive("business").put("/a.txt", b"x")
    listener.wait()
    emulator.clock.advance(3700)
    listener.wait()
    listener.end()
    assert len(emulator.world.tickets) == 4
    for token in emulator.world.tickets:
        assert token not in caplog.text
    assert emulator.world.client_id not in caplog.text
    assert "token=" not in caplog.text
