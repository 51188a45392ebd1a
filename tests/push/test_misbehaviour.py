"""A notification service that breaks off, sends nonsense or nothing, or is not Microsoft's."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from davbridge.emulator.tls import make_certificates
from davbridge.emulator.websocket import WebSocket
from davbridge.graph import Graph
from davbridge.push import PushChannel, open_channel
from tests.push.harness import FAST, Listen, ShiftedClock
from tests.push.scripted import TOKEN, Play, Service, good, join, wait

MakeService = Callable[..., Service]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[MakeService]:
    """Starts services, and ends them."""
    started: list[Service] = []

    def start(*scripts: Play) -> Service:
        started.append(Service(tmp_path, *scripts))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def channel(emulator: Emulator, graph: Graph, tmp_path: Path) -> Callable[[str], PushChannel]:
    """A channel that trusts this CA."""
    drive = emulator.drive("business").id
    return lambda ca_file: open_channel(graph, drive, verify=ca_file, clock=ShiftedClock(), pacing=FAST)


def _raw(frame: bytes) -> Play:
    def play(web: WebSocket, connection: socket.socket) -> None:
        join(web)
        connection.sendall(frame)
        wait(web)

    return play


def _text(message: str) -> Play:
    def play(web: WebSocket, connection: socket.socket) -> None:
        join(web)
        web.send(message)
        wait(web)

    return play


def _first(message: str) -> Play:
    def play(web: WebSocket, connection: socket.socket) -> None:
        web.send(message)
        wait(web)

    return play


def _gone(web: WebSocket, connection: socket.socket) -> None:
    join(web)
    connection.close()


LOSSES = {
    "gone": _gone,
    "left": _text("41/notifications,"),
    "left all": _text("41"),
    "closed": _text("1"),
    "refused": _first('44/notifications,{"message":"no"}'),
    "reserved bits": _raw(b"\xf1\x02{}"),
    "unknown opcode": _raw(b"\x83\x01x"),
    "a continuation of nothing": _raw(b"\x80\x01x"),
    "no text": _raw(b"\x81\x02\xff\xfe"),
    "a long control frame": _raw(b"\x89\x7e\x01\x00" + bytes(256)),
    "a frame of exabytes": _raw(b"\x81\x7f\x0f" + bytes(7) + bytes(2 << 20)),
    "endless fragments": _raw(
        (b"\x01\x7f" + (1 << 16).to_bytes(8, "big") + b"x" * (1 << 16))
        + ((b"\x00\x7f" + (1 << 16).to_bytes(8, "big") + b"x" * (1 << 16)) * 20)
    ),
    "close frame": _raw(b"\x88\x02\x03\xe8"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_lost(
    emulator: Emulator,
    service: MakeService,
    channel: Callable[[str], PushChannel],
    listen: Listen,
    caplog: pytest.LogCaptureFixture,
    loss: str,
) -> None:
    """It connects again, and once more tells of a change."""
    caplog.set_level(logging.DEBUG)
    made = service(LOSSES[loss], good)
    made.announce(emulator, times=2)
    listener = listen(channel(made.ca_file))
    listener.wait_for("connected")
    while len(made.requests) < 2:
        listener.wait()
    listener.wait_for("connected")
    assert caplog.text.count("push is lost") == 1
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "message",
    [
        "",
        "2",
        "3probe",
        "6",
        "7",
        "x" * 1000,
        "4",
        "4x",
        "49/notifications,",
        "43/notifications,1[]",
        "40/other,{}",
        "0",
    ],
)
def test_what_means_nothing(
    emulator: Emulator, service: MakeService, channel: Callable[[str], PushChannel], listen: Listen, message: str
) -> None:
    """It is no change, and no reason to go."""

    def play(web: WebSocket, connection: socket.socket) -> None:
        join(web)
        web.send(message)
        connection.sendall(b"\x82\x02\xff\xfe")
        web.send('42/notifications,["notification","{}"]')
        wait(web)

    made = service(play)
    made.announce(emulator)
    listener = listen(channel(made.ca_file))
    listener.wait()
    listener.wait()
    assert (listener.heard, len(made.requests)) == (2, 1)


@pytest.mark.parametrize(
    "message", ["42/notifications", '42/notifications,["notification', '42["x"]', '451-/notifications,["b",{}]']
)
def test_odd_events(
    emulator: Emulator, service: MakeService, channel: Callable[[str], PushChannel], listen: Listen, message: str
) -> None:
    """An event is a change, whatever is in it."""
    made = service(_text(message))
    made.announce(emulator)
    listener = listen(channel(made.ca_file))
    listener.wait()
    listener.wait()


def test_a_service_that_goes_again_and_again(
    emulator: Emulator,
    service: MakeService,
    channel: Callable[[str], PushChannel],
    listen: Listen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Three lines in the log, however long it does."""
    caplog.set_level(logging.INFO)
    made = service(_gone)
    made.announce(emulator, times=10)
    listener = listen(channel(made.ca_file))
    for _ in range(10):
        listener.wait()
    lines = [record.levelname for record in caplog.records if record.name == "davbridge.push"]
    assert lines == ["INFO", "WARNING", "INFO"]
    made.announce(emulator)
    listener.end()
    emulator.faults.clear()


def test_silence(
    emulator: Emulator, service: MakeService, channel: Callable[[str], PushChannel], listen: Listen
) -> None:
    """A service that neither pings nor speaks for longer than it has said is given up."""

    def mute(web: WebSocket, connection: socket.socket) -> None:
        web.send('0{"sid":"s","pingInterval":400,"pingTimeout":200}')
        assert web.receive(5) == "40"
        web.send('40/notifications,{"sid":"s"}')
        wait(web)

    made = service(mute, good)
    made.announce(emulator, times=2)
    listener = listen(channel(made.ca_file))
    listener.wait()
    listener.wait(5)
    assert len(made.requests) == 2


def test_stop_before_the_service_has_spoken(
    emulator: Emulator, service: MakeService, channel: Callable[[str], PushChannel], listen: Listen
) -> None:
    """Within a second; and what was begun ends when the service goes."""
    made = service(lambda web, connection: wait(web))
    made.announce(emulator)
    listener = listen(channel(made.ca_file))
    while not made.requests:
        listener.stop.wait(0.01)
    assert listener.end() < 1
    made.close()


def test_the_request(
    emulator: Emulator, service: MakeService, channel: Callable[[str], PushChannel], listen: Listen
) -> None:
    """Its address is the notificationUrl's query; no token, no Origin, no cookie goes along."""
    made = service(good)
    made.announce(emulator)
    listen(channel(made.ca_file)).wait()
    (request,) = made.requests
    assert (request.path, request.query_string) == ("/socket.io/", f"EIO=4&transport=websocket&token={TOKEN}")
    assert not {"authorization", "cookie", "origin"} & set(request.headers)
    assert "davbridge" in request.headers["user-agent"]


def test_a_certificate_of_nobody(
    emulator: Emulator,
    service: MakeService,
    channel: Callable[[str], PushChannel],
    listen: Listen,
    tmp_path: Path,
) -> None:
    """Nothing is sent to a service that cannot prove its name."""
    made = service(good)
    other = tmp_path / "other"
    other.mkdir()
    made.announce(emulator)
    listener = listen(channel(str(make_certificates(other)[0])))
    listener.wait_for("retrying")
    while "certificate" not in listener.channel.state.reason:
        listener.stop.wait(0.01)
    listener.end()
    assert not made.requests


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/notifications?t=1", "ftp://x/", "https://u:p@x/", "wss:", "https://[::1", 7, None]
)
def test_addresses_that_are_not_followed(
    emulator: Emulator, channel: Callable[[str], PushChannel], listen: Listen, address: object
) -> None:
    """Only https, with a host and without a password."""
    emulator.faults.add("socket.io", Status(200, body=json.dumps({"notificationUrl": address}).encode()))
    listener = listen(channel(emulator.ca_file))
    listener.wait()
    assert [call.operation for call in emulator.calls.list()] == ["socket.io", "socket.io", "socket"]
