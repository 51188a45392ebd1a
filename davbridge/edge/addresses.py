"""Addresses to listen on: as the configuration writes them, as cheroot wants them, and what is wrong with them."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path
from typing import Any

from davbridge.errors import ConfigError

_REASON = re.compile(r"(?:\[Errno (-?\d+)\] )?([^\]:]*?)\)*$")
"""In cheroot's words about an address: `… (('10.9.9.9', 80): [Errno 99] Cannot assign requested address)`."""


def check_free(path: str) -> None:
    """Refuse a Unix socket that somebody answers at; one that nobody does was left behind, and may be replaced.

    Raises:
        ConfigError: something that is no socket is there. OSError: it is in use.
    """
    if (Path(path).exists() or Path(path).is_symlink()) and not Path(path).is_socket():
        raise ConfigError(f"{shown(path)} is there already and no socket: remove it, or change server.listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1)
        if caller.connect_ex(path) == 0:
            raise OSError(errno.EADDRINUSE, "Address already in use")


def shown(address: Any) -> str:
    """For people: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/dav.sock`."""
    if isinstance(address, str | bytes):
        return f"unix:{address if isinstance(address, str) else address.decode()}"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refused(address: Any, error: OSError | UnicodeError | ConfigError) -> ConfigError:
    """Why an address cannot be listened on, and what to do."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, UnicodeError):
        return ConfigError(f"{shown(address)} cannot be listened on: that is no host name")
    reason = str(error)
    if "in use" in reason:
        return ConfigError(f"{shown(address)} is in use by another program: stop it, or change server.listen")
    if "ermission" in reason:
        return ConfigError(f"{shown(address)} may not be used by this user: take a port above 1023")
    found = _REASON.search(reason)
    number = str(error.errno) if error.errno is not None else found[1] if found else ""
    if number == str(errno.EADDRNOTAVAIL):
        return ConfigError(f"{shown(address)} is not an address of this machine; 0.0.0.0 means all it has")
    if number in (str(socket.EAI_NONAME), str(socket.EAI_AGAIN)):
        return ConfigError(f"{shown(address)}: no address is known for that name")
    return ConfigError(f"{shown(address)} cannot be listened on: {error.strerror or (found[2] if found else reason)}")


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
