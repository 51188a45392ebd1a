"""The listening servers: one cheroot server an address, all with one application.

A fresh connection waits in the selector until its header is complete, so that a client which connects and says nothing,
or one letter a minute, holds a file descriptor and no thread (facts: stack B5).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cheroot.ssl import Adapter
from cheroot.wsgi import Server

from davbridge.edge.connection import EdgeConnection, make_file
from davbridge.errors import ConfigError

_PEEK = 65536
_REASON = re.compile(r"(?:\[Errno (-?\d+)\] )?([^\]:]*?)\)*$")
"""In cheroot's words about an address: `… (('10.9.9.9', 80): [Errno 99] Cannot assign requested address)`."""


@dataclass(frozen=True)
class Tls:
    """PEM files; `key` empty when it is in the certificate's file."""

    certificate: str
    key: str = ""


@dataclass(frozen=True)
class Limits:
    """Threads of each listener; seconds for a header, and for each read and write after it; bytes of a header."""

    threads: int = 64
    header_seconds: float = 10.0
    timeout: float = 90.0
    header_bytes: int = 64 * 1024


class _TlsAdapter(Adapter):
    """TLS whose handshake is done later, by a worker: in the selector it would stop everybody (cheroot #748)."""

    def __init__(self, tls: Tls) -> None:
        try:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(tls.certificate, tls.key or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"server.tls: {tls.certificate} and its key cannot be used: {error}") from error

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ(wrapped)

    def get_environ(self, sock: Any = None) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return make_file(sock, mode)


class Listener(Server):
    """One address."""

    ConnectionClass = EdgeConnection
    keep_alive_conn_limit = None  # type: ignore[assignment] # cheroot means "no limit" by it
    _connections: Any

    def __init__(self, address: Any, application: Any, tls: Tls | None, limits: Limits) -> None:
        super().__init__(
            address,
            application,
            numthreads=limits.threads,
            request_queue_size=1024,
            timeout=int(limits.timeout),
            server_name="davbridge",
        )
        self.max_request_header_size = limits.header_bytes
        self.header_seconds = limits.header_seconds
        self.ssl_adapter = _TlsAdapter(tls) if tls else None
        self._open: set[EdgeConnection] = set()
        self._open_lock = threading.Lock()

    @staticmethod
    def bind_socket(socket_: Any, bind_addr: Any) -> Any:
        """Bind; cheroot would leave the socket open when the address is in use."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def opened(self, connection: EdgeConnection) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: EdgeConnection) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def process_conn(self, conn: EdgeConnection) -> None:
        """Hand a connection to a worker once it has something to say (called by the selector's thread)."""
        if conn.rfile.has_data() or self._ready(conn):
            conn.waiting_since = None
            super().process_conn(conn)

    def _ready(self, conn: EdgeConnection) -> bool:
        """Whether a whole header is there; else the connection has gone back to wait, or was closed."""
        encrypted = isinstance(conn.socket, ssl.SSLSocket)
        raw = socket.socket(fileno=os.dup(conn.socket.fileno()))
        try:
            raw.settimeout(0)
            try:
                seen = raw.recv(_PEEK, socket.MSG_PEEK)
            except BlockingIOError:
                self._connections.put(conn)
                return False
            except OSError:
                conn.close()
                return False
            whole = conn.rfile.buffered() + seen
            if encrypted or not seen or b"\r\n\r\n" in whole or len(whole) >= self.max_request_header_size:
                _wake_at(raw, 1)
                return True  # an end, too, is the worker's to see
            if conn.waiting_since is None:
                conn.waiting_since = time.monotonic()
            if time.monotonic() - conn.waiting_since > self.header_seconds:
                conn.close()
                return False
            # the selector shall wake for more than we have seen, not for that
            _wake_at(raw, len(seen) + 1)
            self._connections.put(conn)
            return False
        finally:
            raw.close()

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
        self.shutdown_timeout = seconds
        self.stop()
        cutter.cancel()

    def _cut(self) -> None:
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)


def _wake_at(sock: socket.socket, size: int) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


class EdgeServer:
    """All listeners of the bridge."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Listen and serve, in threads of their own.

        Raises:
            ConfigError: an address is in use, or not ours.
        """
        started: list[Listener] = []
        try:
            for listener in self._listeners:
                _prepare(listener)
                started.append(listener)
        except ConfigError:
            for listener in started:
                listener.stop()
            raise
        for listener in self._listeners:
            thread = threading.Thread(target=listener.serve, name=f"listener {listener.bind_addr}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def addresses(self) -> list[str]:
        """Where it listens, with the real ports: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/dav.sock`."""
        return [_shown(listener.bind_addr) for listener in self._listeners]

    def drain(self, seconds: float) -> None:
        """Stop all listeners, giving requests under way up to `seconds`."""
        drains = [threading.Thread(target=listener.drain, args=(seconds,)) for listener in self._listeners]
        for drain in drains:
            drain.start()
        for thread in (*drains, *self._threads):
            thread.join()


def _prepare(listener: Listener) -> None:
    address = _shown(listener.bind_addr)
    if isinstance(listener.bind_addr, str) and _is_something_else(Path(listener.bind_addr)):
        # cheroot removes whatever is there to make room for its socket
        raise ConfigError(f"{address} is there already and no socket: remove it, or change server.listen")
    try:
        listener.prepare()
    except UnicodeError:
        raise ConfigError(f"{address} cannot be listened on: that is no host name") from None
    except OSError as error:
        reason = str(error)
        if "in use" in reason:
            raise ConfigError(f"{address} is in use by another program: stop it, or change server.listen") from None
        if "ermission" in reason:
            raise ConfigError(f"{address} may not be used by this user: take a port above 1023") from None
        found = _REASON.search(reason)
        number, words = (found[1], found[2]) if found else (None, reason)
        if number == str(errno.EADDRNOTAVAIL):
            raise ConfigError(f"{address} is not an address of this machine; 0.0.0.0 means all it has") from None
        if number in (str(socket.EAI_NONAME), str(socket.EAI_AGAIN)):
            raise ConfigError(f"{address}: no address is known for that name") from None
        raise ConfigError(f"{address} cannot be listened on: {words}") from None


def _is_something_else(path: Path) -> bool:
    return (path.exists() or path.is_symlink()) and not path.is_socket()


def _shown(address: Any) -> str:
    if isinstance(address, str | bytes):
        return f"unix:{address if isinstance(address, str) else address.decode()}"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_listen(text: str) -> Any:
    """`host:port`, `[v6]:port` or `unix:/path` as cheroot wants it.

    Raises:
        ConfigError.
    """
    if text.startswith("unix:") and text != "unix:":
        return text[len("unix:") :]
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"server.listen: {text!r} is not host:port, [address]:port or unix:/path")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - `:8080` asks for all addresses


def make_server(
    application: Any, listen: Sequence[str], tls: Tls | None = None, limits: Limits | None = None
) -> EdgeServer:
    """Servers for these addresses. Nothing is bound before `start`.

    Raises:
        ConfigError: an address is malformed, or the certificate cannot be used.
    """
    return EdgeServer([Listener(parse_listen(one), application, tls, limits or Limits()) for one in listen])
