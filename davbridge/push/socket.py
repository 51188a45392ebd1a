"""A drive's socket.io channel: outbound only, so it works behind any firewall that lets 443 out (facts: Graph §5.3).

The address is asked for anew with every connection: it is good for an hour or so, and whoever has it may listen. It
goes to no log, and no token goes to it (law 8).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.errors import BadUpstream
from davbridge.graph import Graph
from davbridge.graph.subscriptions import get_socket_address
from davbridge.push.attempt import attempt
from davbridge.push.channel import Lost
from davbridge.push.connection import Connection
from davbridge.push.framing import CONNECT, JOIN, NAMESPACE, PONG, Kind, parse, silence, socket_url
from davbridge.redact import Secret, origin
from davbridge.transport import HostRules
from davbridge.transport.surroundings import surroundings
from davbridge.transport.transport import USER_AGENT

_ASK_SECONDS = 20.0
_STEP_SECONDS = 10.0
_JOIN_SECONDS = 20.0
_LOOK_SECONDS = 0.25
_LEAD = timedelta(seconds=120)
_HOURLY = timedelta(hours=1)
_SOONEST = timedelta(seconds=60)


@dataclass(frozen=True)
class _Joined:
    """A connection that notifications come through. `silence`: seconds after which a silent one is dead."""

    connection: Connection
    silence: float
    renew_at: datetime


class SocketWay:
    """Listens through connections of its own, one at a time. `verify` as in `transport.wire.Wire`."""

    name = "socket"

    def __init__(self, graph: Graph, drive_id: str, *, verify: str | bool, clock: Clock) -> None:
        self._graph = graph
        self._drive_id = drive_id
        self._verify = verify
        self._clock = clock

    def listen(self, stop: threading.Event, connected: Callable[[], None], changed: Callable[[], None]) -> None:
        """As `Way.listen`."""
        joined = attempt(stop, self._open, discard=lambda one: one.connection.close())
        try:
            connected()
            self._read(joined, stop, changed)
        finally:
            joined.connection.close()

    def close(self) -> None:
        """Nothing outlives a connection."""

    def _read(self, joined: _Joined, stop: threading.Event, changed: Callable[[], None]) -> None:
        heard = self._clock.monotonic()
        while not stop.is_set() and self._clock.now() < joined.renew_at:
            message = joined.connection.receive(_LOOK_SECONDS)
            now = self._clock.monotonic()
            if message is None:
                if now - heard > joined.silence:
                    raise Lost("the notification service is silent")
                continue
            heard = now
            packet = parse(message)
            if packet.kind is Kind.EVENT:
                changed()
            elif packet.kind is Kind.PING:
                joined.connection.send(PONG)
            elif packet.kind in (Kind.CLOSE, Kind.LEFT):
                raise Lost("the notification service has ended the channel")

    def _open(self) -> _Joined:
        asked = self._clock.now()
        with deadline.within(self._clock, _ASK_SECONDS):
            address = get_socket_address(self._graph, self._drive_id)
        place = address.url.reveal()
        HostRules(self._graph.base).check(place)
        if urlsplit(place).scheme != "https":
            raise BadUpstream("Microsoft named an address for notifications that is not encrypted")
        where = surroundings(origin(place), self._verify)
        connection = Connection.open(Secret(socket_url(place)), where, USER_AGENT, _STEP_SECONDS)
        try:
            quiet = self._join(connection)
        except BaseException:
            connection.close()
            raise
        return _Joined(connection, quiet, _renewal(asked, address.expires))

    def _join(self, connection: Connection) -> float:
        """From the first packet to the namespace; how long the server may be silent from then on."""
        quiet: float | None = None
        end = self._clock.monotonic() + _JOIN_SECONDS
        while (left := end - self._clock.monotonic()) > 0:
            packet = parse(connection.receive(left) or "")
            if packet.kind is Kind.OPEN:
                quiet = silence(packet.rest)
                connection.send(CONNECT)
            elif packet.kind is Kind.PING:
                connection.send(PONG)
            elif packet.namespace == NAMESPACE and packet.kind is Kind.JOINED and quiet is not None:
                return quiet
            elif packet.namespace == "/" and packet.kind in (Kind.JOINED, Kind.REFUSED):
                connection.send(JOIN)  # a service without the default namespace may have ours all the same
            elif packet.kind in (Kind.CLOSE, Kind.LEFT, Kind.REFUSED):
                break
        raise Lost("the notification service does not let the bridge listen")


def _renewal(now: datetime, expires: datetime | None) -> datetime:
    """Two minutes before the address expires, or at half of a short life; hourly when Graph does not say when."""
    life = expires - now if expires else _HOURLY + _LEAD
    return now + max(life - _LEAD, life / 2, _SOONEST)
