"""Every client's sequence runs on both policies, over plain HTTP, over TLS, and behind an nginx that ends TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dav import Dav
from tests.support.world import World


@pytest.fixture(params=["http", "tls", "nginx"])
def base(request: pytest.FixtureRequest, world: World) -> str:
    """The address of the bridge, three ways."""
    if request.param == "nginx":
        return str(request.getfixturevalue("nginx"))
    return world.https if request.param == "tls" else world.http


@pytest.fixture
def dav(world: World, mount: str, base: str) -> Iterator[Dav]:
    """A client in a fresh folder of the mount."""
    client = world.dav(mount, base=base).at(f"/{mount}/P")
    client.mkcol(f"/{mount}/P", check=201)
    yield client
    client.close()
