"""What the tests of the rows of faults.md begin with."""

from __future__ import annotations

import pytest

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

OLD, NEW = b"the old content", b"the new one"
BEFORE = {"/a.bin": OLD, "/d": None, "/d/b": OLD, "/d/e": None, "/d/e/c": NEW}


@pytest.fixture
def drive(world: World, dav: Dav, mount: str):
    """The drive behind the mount, with a file and a tree; the bridge knows what is in the root."""
    state = world.emulator.drive(MOUNTS[mount])
    for path, data in BEFORE.items():
        if data is not None:
            state.put(path, data)
    for transport in world.bridge.transports:
        transport.reset_gates()
    dav.propfind("", depth=1, check=207)
    yield state
    for transport in world.bridge.transports:
        transport.reset_gates()
