"""Engine.IO and socket.io, packet by packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.push.framing import JOIN, Kind, Packet, parse, silence, socket_url

PACKETS = {
    '0{"sid":"x"}': Packet(Kind.OPEN, rest='{"sid":"x"}'),
    "1": Packet(Kind.CLOSE),
    "2": Packet(Kind.PING),
    '40{"sid":"x"}': Packet(Kind.JOINED, "/", '{"sid":"x"}'),
    '40/notifications,{"sid":"x"}': Packet(Kind.JOINED, "/notifications", '{"sid":"x"}'),
    "40/notifications": Packet(Kind.JOINED, "/notifications"),
    "40/notifications?a=b,": Packet(Kind.JOINED, "/notifications"),
    "41/notifications,": Packet(Kind.LEFT, "/notifications"),
    '42/notifications,["notification","{}"]': Packet(Kind.EVENT, "/notifications", '["notification","{}"]'),
    '42/notifications,7["notification"]': Packet(Kind.EVENT, "/notifications", '7["notification"]'),
    '42["a,b"]': Packet(Kind.EVENT, "/", '["a,b"]'),
    '451-/notifications,["x",{}]': Packet(Kind.EVENT, "/notifications", '["x",{}]'),
    '44/x,{"message":"no"}': Packet(Kind.REFUSED, "/x", '{"message":"no"}'),
    "43/notifications,1[]": Packet(Kind.OTHER, "/notifications", "1[]"),
    "6": Packet(Kind.OTHER),
    "": Packet(Kind.OTHER),
    "47": Packet(Kind.OTHER),
}


@pytest.mark.parametrize("message", PACKETS)
def test_packets(message: str) -> None:
    """What each says."""
    assert parse(message) == PACKETS[message]


@given(st.text() | st.builds(lambda digit, rest: f"4{digit}{rest}", st.integers(0, 9), st.text()))
def test_no_packet_raises(message: str) -> None:
    """Whatever comes."""
    assert isinstance(parse(message), Packet)


def test_join() -> None:
    """We speak as we read."""
    assert parse(JOIN) == Packet(Kind.JOINED, "/notifications")


@pytest.mark.parametrize(
    ("hello", "seconds"),
    [
        ('{"pingInterval":25000,"pingTimeout":60000}', 85),
        ('{"pingInterval":"25000","pingTimeout":5000}', 30),
        ('{"pingInterval":0,"pingTimeout":0}', 1),
        ('{"pingInterval":1e300,"pingTimeout":1}', 300),
        ('{"pingInterval":NaN,"pingTimeout":1}', 85),
        ('{"pingInterval":[],"pingTimeout":1}', 85),
        ("[]", 85),
        ("{", 85),
    ],
)
def test_silence(hello: str, seconds: float) -> None:
    """As the server says, within reason."""
    assert silence(hello) == seconds


def test_address() -> None:
    """Host, port and query of the notificationUrl stay."""
    given_url = "https://host.svc.ms:8443/zbaehwg/callback?snthgk=a%2Bb&applicationId=1"
    assert socket_url(given_url) == (
        "wss://host.svc.ms:8443/socket.io/?EIO=4&transport=websocket&snthgk=a%2Bb&applicationId=1"
    )
    assert socket_url("https://host/notifications").endswith("?EIO=4&transport=websocket")
