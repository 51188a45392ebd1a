"""A notification service that does as a test says: TLS, the upgrade, and then whatever it wants on the wire."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from davbridge.emulator.httpd import Request, Response, Server
from davbridge.emulator.tls import make_certificates
from davbridge.emulator.websocket import Closed, WebSocket, accept

HELLO = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":60000}'
TOKEN = "s3cret-t1cket"
Play = Callable[[WebSocket, socket.socket], None]


class Service:
    """Plays its scripts, one a connection, and the last one again and again. `ca_file` is whom to trust."""

    def __init__(self, folder: Path, *scripts: Play) -> None:
        self.scripts = list(scripts)
        self.requests: list[Request] = []
        path, context = make_certificates(folder)
        self.ca_file = str(path)
        self._server = Server(self._answer, context)
        self._server.start()
        self.address = f"https://127.0.0.1:{self._server.port}/notifications?token={TOKEN}"

    def close(self) -> None:
        self._server.close()

    def announce(self, emulator: Emulator, times: int = 1, **more: object) -> None:
        """Let the emulator's Graph name this service."""
        body = json.dumps({"id": "1", "notificationUrl": self.address, **more}).encode()
        emulator.faults.add("socket.io", Status(200, body=body), times=times)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        opened = accept(request)
        assert opened is not None
        return Response(opened.status, opened.headers, upgrade=lambda connection: _play(script, connection))


def _play(script: Play, connection: socket.socket) -> None:
    try:
        script(WebSocket(connection), connection)
    except Closed:
        return


def join(web: WebSocket) -> None:
    """The service's half of a good beginning."""
    web.send(HELLO)
    assert web.receive(5) == "40"
    web.send('40{"sid":"s"}')
    assert web.receive(5) == "40/notifications,"
    web.send('40/notifications,{"sid":"s"}')


def wait(web: WebSocket) -> None:
    """Until the client goes."""
    while True:
        web.receive(5)


def good(web: WebSocket, connection: socket.socket) -> None:
    """A service that has nothing to tell."""
    join(web)
    wait(web)
