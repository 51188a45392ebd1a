"""The socket.io notification channel of a drive (§5.3): Engine.IO 4 over a WebSocket, without long polling.

A client turns the `notificationUrl` `https://host/notifications?token=…` into `wss://host/socket.io/?EIO=4&
transport=websocket&token=…`, joins the namespace `/notifications`, and gets a `notification` event after changes.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from davbridge.emulator.answers import answer, context
from davbridge.emulator.clock import text
from davbridge.emulator.drives import Drive
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem
from davbridge.emulator.websocket import Closed, WebSocket, accept
from davbridge.emulator.world import World, secret

NAMESPACE = "/notifications"
LIFETIME = timedelta(hours=1)
PATH = "/socket.io/"
_PING_TIMEOUT = 60.0
_LOOK = 0.05
"""Seconds between two looks at the drive: the service, too, gathers changes for a moment."""


@dataclass
class Ticket:
    """The right to listen to a drive, given by `subscriptions/socketIo`."""

    id: str
    drive: Drive
    expires: datetime


def socket_io(world: World, drive: Drive, request: Request) -> Response:
    """`GET …/root/subscriptions/socketIo`: an address to connect to, good for an hour."""
    ticket = Ticket(str(uuid.uuid4()), drive, world.clock.now() + LIFETIME)
    token = secret(24)
    world.tickets[token] = ticket
    url = f"{world.content_url}{NAMESPACE}?token={token}&applicationId={world.client_id}"
    expires = text(ticket.expires)
    return answer(
        request,
        200,
        {
            **context(request, "subscription/$entity"),
            "id": ticket.id,
            "notificationUrl": url,
            "expirationDateTime": expires,
        },
    )


def connect(world: World, request: Request) -> Response:
    """The Engine.IO handshake.

    Raises:
        Problem: 401 for a token that is unknown or too old, 400 for what Engine.IO does not take.
    """
    if "authorization" in request.headers:
        raise Problem(401, "unauthenticated", "The address takes no Authorization header")
    query = request.query
    ticket = world.tickets.get(query.get("token", ""))
    if ticket is None or ticket.expires < world.clock.now() or query.get("applicationId") != world.client_id:
        raise Problem(401, "unauthenticated", "The notification address has expired")
    if query.get("EIO") != "4":
        return _refused(5, "Unsupported protocol version")
    if query.get("transport") != "websocket":
        return _refused(0, "Transport unknown")
    if "sid" in query:
        return _refused(1, "Session ID unknown")
    opened = accept(request)
    if opened is None:
        return _refused(3, "Bad request")
    if opened.status != 101:
        return opened
    return replace(opened, upgrade=lambda connection: Channel(world, ticket, connection).run())


def _refused(code: int, message: str) -> Response:
    body = json.dumps({"code": code, "message": message}).encode()
    return Response(400, {"Content-Type": "application/json"}, body)


class Channel:
    """One connection: it opens, answers joins, pings, and tells of changes until the ticket expires."""

    def __init__(self, world: World, ticket: Ticket, connection: socket.socket) -> None:
        self._world = world
        self._ticket = ticket
        self._socket = WebSocket(connection)
        self._joined: set[str] = set()
        self._seen = 0
        self._interval = world.quirks.socket_ping_seconds
        self._pinged = self._heard = time.monotonic()

    def run(self) -> None:
        """Until either side closes."""
        try:
            self._serve()
        except Closed:
            return

    def _serve(self) -> None:
        hello = {"sid": secrets.token_urlsafe(15), "upgrades": [], "pingInterval": round(self._interval * 1000)}
        self._socket.send("0" + json.dumps({**hello, "pingTimeout": round(_PING_TIMEOUT * 1000), "maxPayload": 10**6}))
        while self._beat():
            message = self._socket.receive(_LOOK)
            if message is not None and not self._answer(message):
                return
            self._tell()

    def _beat(self) -> bool:
        """Ping in time; False when the client is silent for too long, or the ticket is over."""
        now = time.monotonic()
        if self._ticket.expires < self._world.clock.now():
            if NAMESPACE in self._joined:
                self._socket.send(f"41{NAMESPACE},")
            self._socket.close()
            return False
        if self._pinged > self._heard and now - self._pinged > _PING_TIMEOUT:
            return False
        if now - self._pinged >= self._interval:
            self._socket.send("2")
            self._pinged = now
        return True

    def _answer(self, message: str) -> bool:
        """React to a packet; False ends the connection."""
        kind, rest = message[:1], message[1:]
        if kind == "3":
            self._heard = time.monotonic()
            return True
        if kind == "4" and rest[:1] in ("0", "1"):
            namespace = rest[1:].partition(",")[0] or "/"
            if rest[0] == "0":
                self._join(namespace)
            else:
                self._joined.discard(namespace)
            return True
        # events from clients mean nothing here; a client's ping belongs to Engine.IO 3, and ends the connection
        if kind == "4" and rest[:1] == "2":
            return True
        self._socket.close()
        return False

    def _join(self, namespace: str) -> None:
        if namespace not in ("/", NAMESPACE):
            self._socket.send(f'44{namespace},{{"message":"Invalid namespace"}}')
            return
        if namespace == NAMESPACE and namespace not in self._joined:
            self._seen = self._ticket.drive.sequence
        self._joined.add(namespace)
        place = "" if namespace == "/" else f"{namespace},"
        self._socket.send(f"40{place}" + json.dumps({"sid": secrets.token_urlsafe(15)}))

    def _tell(self) -> None:
        """A notification for whatever has changed since the last one, without saying what (§5.3)."""
        drive = self._ticket.drive
        if NAMESPACE not in self._joined or drive.sequence == self._seen:
            return
        self._seen = drive.sequence
        note = {
            "subscriptionId": self._ticket.id,
            "subscriptionExpirationDateTime": text(self._ticket.expires),
            "clientState": None,
            "resource": f"/drives/{drive.id}/root",
            "changeType": "updated",
            "resourceData": None,
        }
        self._socket.send(f"42{NAMESPACE}," + json.dumps(["notification", json.dumps(note)]))
