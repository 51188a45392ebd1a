"""Every client's sequence runs on both policies: over plain HTTP, over TLS, behind an nginx that ends TLS, and with two
workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

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
    with closing(world.dav(mount, base=base).at(f"/{mount}/P")) as client:
        # the drive was emptied behind the bridge's back: another process may know the last test's folder yet
        end = time.monotonic() + 40
        while (status := client.mkcol(f"/{mount}/P").status) == 405 and time.monotonic() < end:
            time.sleep(0.1)
        assert status == 201
        yield client
