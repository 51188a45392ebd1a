"""Engine.IO 4 and socket.io 5, as much of them as a listener needs (facts: Graph §5.3).

A message is a digit of Engine.IO (0 open, 1 close, 2 ping, 3 pong, 4 message), and for 4 a digit of socket.io (0
connect, 1 disconnect, 2 event, 4 refused), a namespace with a comma unless it is `/`, and JSON. What an event says is
not read: it names no item, and is a reason to ask delta whatever is in it.
"""

from __future__ import annotations

import enum
import json
import math
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

NAMESPACE = "/notifications"
CONNECT = "40"
JOIN = f"40{NAMESPACE},"
PONG = "3"
_DEFAULT_SILENCE = 85.0  # the service pings every 25 s and waits for 60
_LONGEST_SILENCE = 300.0


class Kind(enum.Enum):
    """What a packet says."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    JOINED = "40"
    LEFT = "41"
    EVENT = "42"
    REFUSED = "44"
    OTHER = ""


@dataclass(frozen=True)
class Packet:
    """`rest` is what follows the digits and the namespace."""

    kind: Kind
    namespace: str = "/"
    rest: str = ""


_KINDS = {kind.value: kind for kind in Kind if kind.value} | {"45": Kind.EVENT}
_MESSAGE = re.compile(r"(4[0-6])(?:\d+-)?(?:(/[^,]*),?)?(.*)", re.DOTALL)


def parse(message: str) -> Packet:
    """A packet; `OTHER` for anything that means nothing to a listener."""
    if message[:1] != "4":
        return Packet(_KINDS.get(message[:1], Kind.OTHER), rest=message[1:])
    found = _MESSAGE.fullmatch(message)
    if found is None:
        return Packet(Kind.OTHER)
    return Packet(_KINDS.get(found[1], Kind.OTHER), (found[2] or "/").partition("?")[0], found[3])


def silence(hello: str) -> float:
    """How long, by its first packet, the server may be silent: the ping interval and what it waits for the answer."""
    try:
        told = json.loads(hello)
        seconds = (float(told["pingInterval"]) + float(told["pingTimeout"])) / 1000
    except (ValueError, TypeError, KeyError):
        return _DEFAULT_SILENCE
    return min(max(seconds, 1.0), _LONGEST_SILENCE) if math.isfinite(seconds) else _DEFAULT_SILENCE


def socket_url(notification_url: str) -> str:
    """The WebSocket address that stands for a `notificationUrl`: its query carries the right to listen."""
    parts = urlsplit(notification_url)
    query = f"EIO=4&transport=websocket&{parts.query}".rstrip("&")
    return f"wss://{parts.netloc}/socket.io/?{query}"
