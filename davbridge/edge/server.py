"""The listening servers: one cheroot server an address, all with one application."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cheroot.ssl import Adapter
from cheroot.wsgi import Server

from davbridge.edge.addresses import check_free, parse_listen, refused, shown
from davbridge.edge.connection import EdgeConnection
from davbridge.edge.crew import Crew
from davbridge.edge.gateway import EdgeGateway, constant_environ
from davbridge.edge.places import Place
from davbridge.errors import ConfigError


@dataclass(frozen=True)
class Tls:
    """PEM files; `key` empty when it is in the certificate's file."""

    certificate: str
    key: str = ""


@dataclass(frozen=True)
class Limits:
    """Threads of each listener, made when they are needed; seconds for a header, and for each read and write after it;
    bytes of a header."""

    threads: int = 128
    header_seconds: float = 10.0
    timeout: float = 90.0
    header_bytes: int = 64 * 1024


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the connections of a listener with this certificate are made with.

    Raises:
        ConfigError: the files cannot be used.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(tls.certificate, tls.key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"server.tls: {tls.certificate} and its key cannot be used: {error}") from error
    return context


class _TlsAdapter(Adapter):
    """TLS whose handshake is done later, as its bytes come: at once it would stop everybody (cheroot #748)."""

    def __init__(self, tls: Tls) -> None:
        self.context = tls_context(tls)

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ(wrapped)

    def get_environ(self, sock: Any = None) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        raise NotImplementedError("a connection makes its own stream")


class Listener(Server):
    """One address."""

    _connections: Any

    def __init__(self, address: Any, application: Any, tls: Tls | None, limits: Limits) -> None:
        super().__init__(
            address, application, request_queue_size=1024, timeout=int(limits.timeout), server_name="davbridge"
        )
        self.gateway = EdgeGateway
        self.server_line = f"Server: {self.server_name}\r\n".encode()
        self.max_request_header_size = limits.header_bytes
        self.header_seconds = limits.header_seconds
        self.ssl_adapter = _TlsAdapter(tls) if tls else None
        self.environ: dict[str, Any] = {}
        self._crew = Crew(limits.threads)
        # cheroot's own threads would be started by `prepare`
        self.requests = _NoThreads()
        self._given: socket.socket | None = None
        self._open: set[EdgeConnection] = set()
        self._open_lock = threading.Lock()

    def take(self, place: Place) -> None:
        """Listen where other processes do, too."""
        self.bind_addr = place.address
        self._given = place.socket

    def prepare(self) -> None:
        """Bind and listen.

        Raises:
            OSError: the address is in use, or not ours.
        """
        super().prepare()
        self._connections.close()
        # of several processes with one socket, those that come too late must not wait for the next connection
        self.socket.settimeout(0)
        port = str(self.bind_addr[1]) if isinstance(self.bind_addr, tuple) else ""
        self.environ = constant_environ(self.server_name, self.software, port)
        self._crew.open(self.socket, self._accept)

    def serve(self) -> None:
        """Serve until `stop`."""
        self._crew.run()

    def stop(self) -> None:
        """Take no new requests; returns when those under way are answered."""
        if not self.ready:
            return
        self.ready = False
        self._crew.stop()
        self.socket.close()
        self._crew.join()

    def _accept(self) -> EdgeConnection | None:
        try:
            sock, address = self.socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return None
        environ: dict[str, str] = {}
        if self.ssl_adapter is not None:
            sock, environ = self.ssl_adapter.wrap(sock)
        connection = EdgeConnection(self, sock)
        if isinstance(address, tuple):
            connection.remote_addr, connection.remote_port = address[:2]
        connection.ssl_env = environ
        return connection

    def bind(self, family: int, type: int, proto: int = 0) -> Any:  # noqa: A002 - cheroot's name
        """Bind a TCP socket, or take the given one."""
        return self._use(self._given) if self._given else super().bind(family, type, proto)

    def bind_unix_socket(self, bind_addr: Any) -> Any:
        """As `bind`; cheroot would take the path from another program, and remove a file."""
        if self._given:
            return self._use(self._given)
        check_free(bind_addr)
        return super().bind_unix_socket(bind_addr)  # type: ignore[no-untyped-call] # cheroot types it partly

    def _use(self, given: socket.socket) -> socket.socket:
        self.socket = given
        return given

    @staticmethod
    def bind_socket(socket_: Any, bind_addr: Any) -> Any:
        """Bind; cheroot would leave the socket open when the address is in use."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def clear_stats(self) -> None:
        """cheroot's figures of its own; it lists its servers, and all that they serve would never be let go."""
        import logging  # noqa: PLC0415 - as in `error_log`

        super().clear_stats()  # type: ignore[no-untyped-call] # cheroot types it partly
        vars(logging)["statistics"].pop(f"Cheroot HTTPServer {id(self)}", None)

    def opened(self, connection: EdgeConnection) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: EdgeConnection) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """cheroot's own log: through ours, and only what is wrong."""
        import logging  # noqa: PLC0415 - cheroot's hook is the only user

        if level >= logging.WARNING:
            logging.getLogger("davbridge.edge").log(level, "%s", msg, exc_info=traceback)

    def drain(self, seconds: float) -> None:
        """Take no new requests, let those under way finish, cut what is left after `seconds`."""
        cutter = threading.Timer(seconds, self._cut)
        cutter.daemon = True
        cutter.start()
        self.stop()
        cutter.cancel()
        cutter.join()

    def _cut(self) -> None:
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)


class _NoThreads:
    """In the place of cheroot's pool."""

    def start(self) -> None:
        """None."""


class EdgeServer:
    """All listeners of the bridge."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._threads: list[threading.Thread] = []

    def start(self, places: Sequence[Place] = ()) -> None:
        """Listen and serve, in threads of their own; with `places`, in the order of the addresses, beside others.

        Raises:
            ConfigError: an address is in use, or not ours.
        """
        for listener, place in zip(self._listeners, places, strict=False):
            listener.take(place)
        started: list[Listener] = []
        for listener in self._listeners:
            try:
                listener.prepare()
            except (OSError, UnicodeError, ConfigError) as error:
                for other in started:
                    other.stop()
                raise refused(listener.bind_addr, error) from None
            started.append(listener)
        for listener in self._listeners:
            thread = threading.Thread(target=listener.serve, name=f"listener {listener.bind_addr}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def renew(self, context: ssl.SSLContext) -> None:
        """Show new connections another certificate (`tls_context`); listeners without TLS stay without."""
        for listener in self._listeners:
            if isinstance(listener.ssl_adapter, _TlsAdapter):
                listener.ssl_adapter.context = context

    @property
    def addresses(self) -> list[str]:
        """Where it listens, with the real ports: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/dav.sock`."""
        return [shown(listener.bind_addr) for listener in self._listeners]

    def drain(self, seconds: float) -> None:
        """Stop all listeners, giving requests under way up to `seconds`."""
        drains = [threading.Thread(target=listener.drain, args=(seconds,)) for listener in self._listeners]
        for drain in drains:
            drain.start()
        for thread in (*drains, *self._threads):
            thread.join()


def make_server(
    application: Any,
    listen: Sequence[str],
    tls: Tls | None = None,
    limits: Limits | None = None,
    beside: Sequence[tuple[str, Any]] = (),
) -> EdgeServer:
    """Servers for these addresses, and for `beside`: addresses with applications of their own, without TLS.

    Nothing is bound before `start`.

    Raises:
        ConfigError: an address is malformed, or the certificate cannot be used.
    """
    listeners = [Listener(parse_listen(one), application, tls, limits or Limits()) for one in listen]
    listeners += [Listener(parse_listen(one), other, None, Limits(threads=2)) for one, other in beside]
    return EdgeServer(listeners)
