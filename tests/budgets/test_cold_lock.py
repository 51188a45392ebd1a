"""A LOCK where nothing is known of the name: no call, and nothing is lost whichever way the name turns out."""

from __future__ import annotations

import pytest

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World


@pytest.fixture
def cold(world: World, mount: str) -> World:
    """A drive with `/d/f.txt`, of which the bridge knows the root only."""
    world.emulator.drive(MOUNTS[mount]).put("/d/f.txt", b"content")
    world.bridge.drivers[mount].probe()
    return world


def test_of_a_file_that_is_there(cold: World, dav: Dav, mount: str) -> None:
    """LOCK, PUT under the lock, UNLOCK: one call, and the file keeps its id."""
    before = cold.emulator.drive(MOUNTS[mount]).item("/d/f.txt").id
    with cold.emulator.calls.counting() as calls:
        token = dav.lock("d/f.txt", check=200).token
        dav.put("d/f.txt", "new", headers={"If": f"(<{token}>)"}, check=204)
        dav.unlock("d/f.txt", token, check=204)
    assert calls.graph == 1, calls.operations
    assert cold.emulator.drive(MOUNTS[mount]).item("/d/f.txt").id == before


def test_reading_under_it(cold: World, dav: Dav) -> None:
    """What is there is read, not the reservation."""
    dav.lock("d/f.txt", check=200)
    assert dav.get("d/f.txt", check=200).body == b"content"
    assert "/d/f.txt" in " ".join(one.href for one in dav.propfind("d", depth=1, check=207).resources)


def test_of_a_free_name(cold: World, dav: Dav) -> None:
    """The lock holds the name: an empty file until the content comes."""
    token = dav.lock("d/new.txt", check=200).token
    assert dav.head("d/new.txt", check=200).header("Content-Length") == "0"
    assert len(dav.propfind("d", depth=1, check=207).resources) == 3
    dav.put("d/new.txt", "no", check=423)
    dav.put("d/new.txt", "yes", headers={"If": f"(<{token}>)"}, check=204)
    assert dav.get("d/new.txt", check=200).body == b"yes"


def test_of_a_free_name_that_is_never_filled(cold: World, dav: Dav, mount: str) -> None:
    """UNLOCK of what nobody has looked at makes nothing."""
    token = dav.lock("d/new.txt", check=200).token
    dav.unlock("d/new.txt", token, check=204)
    dav.get("d/new.txt", check=404)
    assert set(cold.emulator.drive(MOUNTS[mount]).tree()) == {"/d", "/d/f.txt"}


def test_below_a_folder_that_is_missing(cold: World, dav: Dav) -> None:
    """There is nothing to read, and a PUT says 409."""
    token = dav.lock("none/new.txt", check=200).token
    dav.get("none/new.txt", check=404)
    dav.put("none/new.txt", "x", headers={"If": f"(<{token}>)"}, check=409)


def test_in_a_locked_folder(cold: World, dav: Dav) -> None:
    """A lock on the folder protects its free names: then the look-up is made."""
    dav.lock("d", headers={"Depth": "0"}, check=200)
    dav.lock("d/new.txt", check=423)
