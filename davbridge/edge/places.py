"""Addresses that several processes listen on: one process reserves them, the others come and go."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davbridge.edge.addresses import check_free, parse_listen, refused, shown
from davbridge.errors import ConfigError

_BACKLOG = 1024
_SPREADS = sys.platform == "linux"
"""Whether the kernel spreads connections over all sockets of one port; others give all to the last that came."""


@dataclass(frozen=True)
class Place:
    """An address that is held for several processes. `address` as cheroot wants it, with the real port.

    `listening`: they all accept from this socket. None: each binds one of its own, and the kernel spreads.
    """

    address: Any
    listening: socket.socket | None = None


class Reservation:
    """Addresses that are ours from now on, for processes that come and go. `places` in the order of `reserve`."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self.places = [_place(one) for one in sockets]

    @property
    def addresses(self) -> list[str]:
        """As `EdgeServer.addresses`."""
        return [shown(place.address) for place in self.places]

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def reserve(listen: Sequence[str]) -> Reservation:
    """Bind all of `listen`, so that no other program gets them while none of our processes listens.

    Sockets that systemd passes (sd_listen_fds(3)) are taken in place of all of them.

    Raises:
        ConfigError: an address is malformed, in use by another program, or not ours.
    """
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()):
        return Reservation(_passed(len(listen)))
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(_bound(parse_listen(one))) for one in listen]
        opened.pop_all()
        return Reservation(sockets)


def _passed(wanted: int) -> list[socket.socket]:
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    if count != wanted:
        raise ConfigError(f"systemd passes {count} sockets where server.listen has {wanted} addresses")
    return [socket.socket(fileno=number) for number in range(3, 3 + count)]


def _bound(address: Any) -> socket.socket:
    if isinstance(address, str):
        try:
            return _bound_path(address)
        except OSError as error:
            raise refused(address, error) from None
    reason = OSError(socket.EAI_NONAME, "")
    try:
        resolved = _resolved(address)
    except UnicodeError as error:
        raise refused(address, error) from None
    for family, _, _, _, place in resolved:
        try:
            if place[1]:
                # with SO_REUSEPORT we would be let in beside another program that uses it, such as a second bridge
                _bound_port(family, place, shared=False).close()
            return _bound_port(family, place, shared=True)
        except OSError as error:
            reason = error
    raise refused(address, reason)


def _resolved(address: tuple[str, int]) -> list[Any]:
    try:
        return socket.getaddrinfo(*address, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    except socket.gaierror:
        return []


def _bound_port(family: int, place: Any, *, shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if place[1]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared and _SPREADS:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and place[0] == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(place)
        if shared and not _SPREADS:
            sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _bound_path(path: str) -> socket.socket:
    check_free(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        Path(path).unlink(missing_ok=True)
        sock.bind(path)
        Path(path).chmod(0o777)  # who may come in is decided by the folder's mode, and by the password
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _place(sock: socket.socket) -> Place:
    address = sock.getsockname()
    if isinstance(address, tuple):
        address = address[:2]
    listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return Place(address, sock if listening else None)
