"""Addresses that cannot be listened on."""

from __future__ import annotations

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
