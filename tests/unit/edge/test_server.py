"""Addresses that cannot be listened on, and a server that has ended."""

from __future__ import annotations

import gc
import weakref

import pytest

from davbridge.edge import make_server
from davbridge.errors import ConfigError


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("192.0.2.1:8097", "192.0.2.1:8097 is not an address of this machine; 0.0.0.0 means all it has"),
        ("[2001:db8::1]:8097", "[2001:db8::1]:8097 is not an address of this machine; 0.0.0.0 means all it has"),
        ("nowhere.invalid:8097", "nowhere.invalid:8097: no address is known for that name"),
        ("unix:/nowhere/x", "unix:/nowhere/x cannot be listened on: No such file or directory"),
    ],
)
def test_no_address_of_ours(listen: str, message: str) -> None:
    """One sentence says what is wrong with an address, without numbers and brackets of the library's."""
    with pytest.raises(ConfigError) as caught:
        make_server(lambda environ, start: [], [listen]).start()
    assert str(caught.value) == message


class Application:
    """What is served."""

    def __call__(self, environ: object, start: object) -> list[bytes]:
        return []


def test_what_was_served_is_let_go() -> None:
    """Nobody keeps a server that has ended, nor what it served: a state file's connections, for one."""
    application = Application()
    known = weakref.ref(application)
    server = make_server(application, ["127.0.0.1:0"])
    server.start()
    server.drain(1)
    del server, application
    gc.collect()
    assert known() is None
