"""Addresses that are held for several processes, and what is refused."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from davbridge.edge import Place, parse_listen, reserve
from davbridge.errors import ConfigError


def listener(place: Place) -> socket.socket:
    """As a worker listens on a place."""
    sock = place.socket.dup()
    sock.listen()
    return sock


def test_port_0_is_one_port_for_all() -> None:
    """It is resolved when it is reserved, and several may listen on it."""
    held = reserve(["127.0.0.1:0"])
    (place,) = held.places
    assert held.addresses == [f"127.0.0.1:{place.address[1]}"]
    with listener(place), listener(place):
        socket.create_connection(place.address).close()
    held.close()


def test_nobody_is_let_in_where_nobody_listens() -> None:
    """A reserved port refuses connections instead of leaving them waiting."""
    held = reserve(["127.0.0.1:0"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(held.places[0].address)
    held.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use(shared: bool) -> None:
    """Also when the other program would share it; nothing stays bound."""
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^127.0.0.1:{port} is in use by another program: stop it"):
            reserve(["127.0.0.1:0", f"127.0.0.1:{port}"])


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("192.0.2.1:8080", " is not an address of this machine"),
        ("no.such.name.invalid:8080", ": no address is known for that name"),
    ],
)
def test_an_address_that_is_not_ours(listen: str, words: str) -> None:
    """It is named, with what is wrong with it."""
    with pytest.raises(ConfigError, match=f"^{listen}{words}"):
        reserve([listen])


def test_a_unix_socket_is_shared(tmp_path: Path) -> None:
    """One socket for all; whoever would take it away is refused; what was left behind is replaced."""
    path = tmp_path / "dav.sock"
    held = reserve([f"unix:{path}"])
    assert held.addresses == [f"unix:{path}"]
    with pytest.raises(ConfigError, match="is in use by another program"):
        reserve([f"unix:{path}"])
    held.close()
    assert path.is_socket()
    reserve([f"unix:{path}"]).close()


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    """A path that was mistaken costs nobody a file."""
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConfigError, match="is there already and no socket"):
        reserve([f"unix:{path}"])
    assert path.read_text() == "data"


def test_another_number_of_sockets_than_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd passes must fit the configuration."""
    import os

    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    with pytest.raises(ConfigError, match=r"systemd passes 2 sockets where server\.listen has 1 addresses"):
        reserve(["127.0.0.1:0"])


@pytest.mark.parametrize("text", ["8080", "host:", "host:http", "host:65536"])
def test_what_is_no_address(text: str) -> None:
    """It is told as it was written."""
    with pytest.raises(ConfigError, match="is not host:port"):
        parse_listen(text)
