"""Every client's sequence runs on both policies: over plain HTTP, over TLS, behind an nginx that ends TLS, and with two
workers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dav import Dav
from tests.support.world import World


@pytest.fixture(params=["http", "tls", "nginx", "workers"])
def base(request: pytest.FixtureRequest, world: World) -> str:
    """The address of the bridge, four ways."""
    if request.param in ("nginx", "workers"):
        return str(request.getfixturevalue(request.param))
    return world.https if request.param == "tls" else world.http


@pytest.fixture
def dav(world: World, mount: str, base: str) -> Iterator[Dav]:
    """A client in a fresh folder of the mount."""
    client = world.dav(mount, base=base).at(f"/{mount}/P")
    client.mkcol(f"/{mount}/P", check=201)
    yield client
    client.close()
