"""A WebSocket over TLS, with a limit on what it takes in: the only module that imports `websocket` (websocket-client).

Why websocket-client, and socket.io written in `framing`: python-socketio brings five packages, threads of its own and a
reconnection that cannot be stopped within a second, for a protocol of which a listener needs six packets. Why the
connection is made here: the library would choose proxy and CA file by rules of its own, follow redirects, and send the
address through them.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
from urllib.parse import unquote, urlsplit

import websocket

from davbridge.errors import Unsupported
from davbridge.push.channel import Lost
from davbridge.redact import Secret
from davbridge.transport.surroundings import Surroundings

_LARGEST = 1 << 20


class Connection:
    """Text messages both ways. For one thread at a time."""

    def __init__(self, socket: _Bounded) -> None:
        self._socket = socket

    @classmethod
    def open(cls, url: Secret, where: Surroundings, agent: str, seconds: float) -> Connection:
        """Connect to a `wss://` address, `seconds` for each step of it. No header but the agent goes along.

        Raises:
            Lost: it cannot be reached, is not to be trusted, or refuses.
            Unsupported: the proxy is of a kind that cannot be used here.
        """
        raw = _dial(url, where, seconds)
        with contextlib.ExitStack() as undo:
            undo.callback(raw.close)
            try:
                socket = _Bounded()
                socket.settimeout(seconds)
                socket.connect(  # type: ignore[no-untyped-call] # the library types itself partly
                    url.reveal(),
                    socket=raw,
                    redirect_limit=0,
                    suppress_origin=True,
                    header=[f"User-Agent: {agent}"],
                )
            except websocket.WebSocketBadStatusException as error:
                raise Lost(f"the notification service refused with {error.status_code}") from None
            except (websocket.WebSocketException, OSError, ValueError) as error:
                # the library's words hold headers and bodies
                raise Lost(f"the notification service does not open ({type(error).__name__})") from None
            undo.pop_all()
        return cls(socket)

    def send(self, message: str) -> None:
        """Raises Lost."""
        try:
            self._socket.send(message)
        except (websocket.WebSocketException, OSError) as error:
            raise Lost(f"the connection broke ({type(error).__name__})") from None

    def receive(self, seconds: float) -> str | None:
        """The next message, empty for one that is no text; None when there is none within `seconds`.

        Raises:
            Lost: the connection has ended, or what came is no WebSocket message.
        """
        self._socket.settimeout(max(seconds, 0.01))
        try:
            opcode, data = self._socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return None
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise Lost(f"the connection broke ({type(error).__name__})") from None
        self._socket.taken = 0
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Lost("the notification service closed the connection")
        return data.decode("utf-8", "replace") if opcode == websocket.ABNF.OPCODE_TEXT else ""

    def close(self) -> None:
        """Say goodbye, and wait for nothing."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            self._socket.settimeout(0.2)
            self._socket.send_close()
        self._socket.shutdown()  # type: ignore[no-untyped-call] # as above


class _Bounded(websocket.WebSocket):
    """The library takes frames of any length into memory."""

    taken = 0

    def _recv(self, bufsize: int) -> bytes:
        data = bytes(super()._recv(bufsize))  # type: ignore[no-untyped-call] # as above
        self.taken += len(data)
        if self.taken > _LARGEST:
            raise websocket.WebSocketPayloadException("a message is too large")
        return data


def _dial(url: Secret, where: Surroundings, seconds: float) -> ssl.SSLSocket:
    """A TLS connection, through the proxy if there is one."""
    parts = urlsplit(url.reveal())
    host, port = str(parts.hostname), parts.port or 443
    if where.proxy is None:
        dialled = http.client.HTTPSConnection(host, port, timeout=seconds, context=where.context)
    else:
        proxy = urlsplit(where.proxy.reveal())
        if proxy.scheme not in ("http", "") or not proxy.hostname:
            raise Unsupported(f"a proxy of the kind {proxy.scheme} cannot be used for push")
        dialled = http.client.HTTPSConnection(proxy.hostname, proxy.port or 80, timeout=seconds, context=where.context)
        headers = {}
        if proxy.username is not None:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        dialled.set_tunnel(host, port, headers)
    try:
        dialled.connect()
    except ssl.SSLCertVerificationError:
        dialled.close()
        raise Lost("the certificate of the notification service cannot be trusted") from None
    except (OSError, http.client.HTTPException) as error:
        dialled.close()
        raise Lost(f"the notification service cannot be reached ({type(error).__name__})") from None
    connected: ssl.SSLSocket = dialled.sock
    return connected
