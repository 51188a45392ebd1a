"""Addresses that several processes listen on: one holds the sockets, the others accept from them and come and go.

One socket for all and not one for each (SO_REUSEPORT): the kernel would deal connections out blindly, so that one
process may get most of sixteen and the other one idles; and what waits at a process that dies would be lost.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davbridge.edge.addresses import check_free, parse_listen, refused, shown
from davbridge.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """An address that is held for several processes: `address` as cheroot wants it, with the real port.

    They all listen and accept on `socket`.
    """

    address: Any
    socket: socket.socket


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
        """Give them up; nobody is let in any more when all processes have done so."""
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
            return _bound_port(family, place)
        except OSError as error:
            reason = error
    raise refused(address, reason)


def _resolved(address: tuple[str, int]) -> list[Any]:
    try:
        return socket.getaddrinfo(*address, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    except socket.gaierror:
        return []


def _bound_port(family: int, place: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if place[1]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and place[0] == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(place)
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
        sock.listen()  # or it would be taken for one that a program has left behind
    except BaseException:
        sock.close()
        raise
    return sock


def _place(sock: socket.socket) -> Place:
    address = sock.getsockname()
    return Place(address[:2] if isinstance(address, tuple) else address, sock)
