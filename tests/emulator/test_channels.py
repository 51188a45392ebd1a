"""The socket.io channel: the handshake, the namespace, notifications, pings and its end; and the WebSocket below it."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Client:
    """A WebSocket client of a few lines, written from RFC 6455 alone."""

    def __init__(self, emulator: Emulator, url: str, **headers: str) -> None:
        parts = urlsplit(url)
        context = ssl.create_default_context(cafile=emulator.ca_file)
        raw = socket.create_connection((parts.hostname, parts.port), timeout=10)
        self.connection = context.wrap_socket(raw, server_hostname=parts.hostname)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
        self.connection.sendall(head.encode() + b"\r\n")
        self.reader = self.connection.makefile("rb")
        self.status = int(self.reader.readline().split()[1])
        self.headers = {}
        while line := self.reader.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def send(self, payload: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = True) -> None:
        length = len(payload)
        size = bytes([length]) if length < 126 else struct.pack("!BH", 126, length)
        size = bytes([size[0] | (0x80 if masked else 0)]) + size[1:]
        mask = os.urandom(4) if masked else b""
        body = bytes(value ^ mask[i % 4] for i, value in enumerate(payload)) if masked else payload
        self.connection.sendall(bytes([opcode | (0x80 if final else 0)]) + size + mask + body)

    def receive(self) -> tuple[int, bytes]:
        """Opcode and payload; opcode 0 at the end."""
        head = self.reader.read(2)
        if len(head) < 2:
            return 0, b""
        length = head[1]
        assert not length & 0x80, "servers do not mask"
        if length == 126:
            length = int.from_bytes(self.reader.read(2), "big")
        return head[0] & 0x0F, self.reader.read(length)

    def text(self) -> str:
        opcode, payload = self.receive()
        assert opcode == TEXT
        return payload.decode()

    def close(self) -> None:
        self.reader.close()
        self.connection.close()

    def close_code(self) -> int:
        """What the server says when it closes."""
        opcode, payload = self.receive()
        assert opcode == CLOSE
        return int.from_bytes(payload[:2], "big")


def address(api: Api, drive: str, *, query: str = "EIO=4&transport=websocket") -> str:
    """The WebSocket address, made from `notificationUrl` as clients do."""
    answer = api("GET", f"{drive}/root/subscriptions/socketIo", 200).json()
    assert answer["expirationDateTime"]
    assert answer["id"]
    parts = urlsplit(answer["notificationUrl"])
    assert (parts.scheme, parts.path) == ("https", "/notifications")
    return f"wss://{parts.netloc}/socket.io/?{query}&{parts.query}"


Listen = Callable[..., Client]


@pytest.fixture
def listen(emulator: Emulator) -> Iterator[Listen]:
    """Opens clients, and closes them in the end."""
    opened: list[Client] = []

    def listen(url: str, **headers: str) -> Client:
        opened.append(Client(emulator, url, **headers))
        return opened[-1]

    yield listen
    for client in opened:
        client.close()


@pytest.fixture
def client(api: Api, listen: Listen, drive: str) -> Client:
    """A client that has joined the notifications of each kind of drive."""
    made = listen(address(api, drive))
    assert made.status == 101
    hello = made.text()
    assert hello[0] == "0"
    assert json.loads(hello[1:]).items() >= {"pingInterval": 25000, "pingTimeout": 60000, "upgrades": []}.items()
    made.send(b"40")
    assert made.text().startswith('40{"sid"')
    made.send(b"40/notifications")
    assert made.text().startswith('40/notifications,{"sid"')
    return made


def test_a_change_is_told(api: Api, drive: str, client: Client) -> None:
    """One event with a string of JSON, that names no item; and again after the next change."""
    for number in range(2):
        api("PUT", f"{drive}/root:/{number}.txt:/content", 201, data=b"x")
        packet = client.text()
        assert packet.startswith("42/notifications,")
        name, note = json.loads(packet.partition(",")[2])
        assert name == "notification"
        assert json.loads(note)["resourceData"] is None


def test_other_drives_are_not_told_of(api: Api, emulator: Emulator, listen: Listen) -> None:
    """Nor is anything told before the namespace has been joined; one that does not exist cannot be."""
    listener = listen(address(api, f"/drives/{emulator.drive('business').id}"))
    assert listener.text()[0] == "0"
    emulator.drive("business").put("/a.txt", b"x")
    emulator.drive("documents").put("/a.txt", b"x")
    listener.send(b"40/nonsense,")
    assert listener.text() == '44/nonsense,{"message":"Invalid namespace"}'
    listener.send(b"40/notifications,")
    assert listener.text().startswith("40/notifications,")
    emulator.drive("documents").put("/b.txt", b"x")
    listener.connection.settimeout(0.3)
    with pytest.raises(TimeoutError):
        listener.receive()


def test_pings(api: Api, emulator: Emulator, listen: Listen, business: str) -> None:
    """The server pings, the client answers; a client that pings speaks an older protocol, and is closed."""
    emulator.quirks.socket_ping_seconds = 0.1
    listener = listen(address(api, business))
    assert listener.text()[0] == "0"
    for _ in range(2):
        assert listener.text() == "2"
        listener.send(b"3")
    listener.send(b"2")
    while (frame := listener.receive())[0] == TEXT:
        pass
    assert frame[0] == CLOSE


def test_the_address_expires(api: Api, emulator: Emulator, listen: Listen, business: str) -> None:
    """An open channel is left and closed; the address opens no other."""
    url = address(api, business)
    listener = listen(url)
    assert listener.text()[0] == "0"
    listener.send(b"40/notifications,")
    assert listener.text().startswith("40/notifications,")
    emulator.clock.advance(3700)
    assert listener.text() == "41/notifications,"
    assert listener.close_code() == 1000
    assert listen(url).status == 401


def test_what_is_no_handshake(api: Api, emulator: Emulator, listen: Listen, business: str) -> None:
    """Another protocol, long polling, no upgrade, another version, a token of Graph's."""
    assert listen(address(api, business, query="EIO=3&transport=websocket")).status == 400
    polling = address(api, business, query="EIO=4&transport=polling").replace("wss:", "https:")
    assert api("GET", polling, 400).json() == {"code": 0, "message": "Transport unknown"}
    api("GET", address(api, business).replace("wss:", "https:"), 400)
    old = listen(address(api, business), Sec_WebSocket_Version="8")
    assert (old.status, old.headers["sec-websocket-version"]) == (426, "13")
    assert listen(address(api, business), Authorization="Bearer x").status == 401
    assert listen(address(api, business) + "x").status == 401
    emulator.calls.leaks.clear()


def test_frames(api: Api, emulator: Emulator, listen: Listen, business: str) -> None:
    """Fragments with a ping between them, a message in pieces of bytes, and a close that is answered."""
    listener = listen(address(api, business))
    assert listener.text()[0] == "0"
    listener.send(b"40/noti", final=False)
    listener.send(b"x", PING)
    assert listener.receive() == (PONG, b"x")
    listener.send(b"fications,", 0)
    assert listener.text().startswith("40/notifications,")
    listener.send(b"42" + b"y" * 300)
    listener.send(struct.pack("!H", 1001), CLOSE)
    assert listener.close_code() == 1001
    assert listener.receive()[0] == 0


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"payload": b"40", "masked": False}, 1002),
        ({"payload": b"40", "opcode": 3}, 1002),
        ({"payload": b"40", "opcode": 0}, 1002),
        ({"payload": b"x", "opcode": PING, "final": False}, 1002),
        ({"payload": b"40", "opcode": 2}, 1003),
        ({"payload": b"\xff"}, 1007),
    ],
)
def test_breaches(api: Api, emulator: Emulator, listen: Listen, business: str, frame: dict, code: int) -> None:
    """Each ends the connection with its own code."""
    listener = listen(address(api, business))
    assert listener.text()[0] == "0"
    listener.send(**frame)
    assert listener.close_code() == code


def test_the_emulator_ends_with_open_channels(api: Api) -> None:
    """At once."""
    with Emulator.start() as emulator:
        own = Api(emulator, api.session, emulator.access_token())
        listener = Client(emulator, address(own, f"/drives/{emulator.drive('business').id}"))
        assert listener.text()[0] == "0"
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    listener.close()
