"""Who moves or deletes one item at the same time as somebody else; and what lies below a folder that was just made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from davbridge.emulator.faults import Delay
from davbridge.mirror.mirror import TTL_SECONDS
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World


def test_two_move_one_file(world: World, workers: str, mount: str) -> None:
    """One is told that it is done, and finds it where it has moved it; the other that there is nothing."""
    drive = world.emulator.drive(MOUNTS[mount])
    drive.put("/a", b"content")

    def move(target: str) -> int:
        with closing(world.dav(mount, base=workers)) as dav:
            dav.propfind("", depth=1, check=207)
            return dav.move("a", target).status

    world.emulator.faults.add("update item", Delay(0.2), times=2)
    with ThreadPoolExecutor(2) as pool:
        statuses = dict(zip("bc", pool.map(move, "bc"), strict=True))
    assert sorted(statuses.values()) == [201, 404]
    assert drive.tree() == {"/b" if statuses["b"] == 201 else "/c": b"content"}


def test_a_deletion_beside_a_move(world: World, workers: str, mount: str) -> None:
    """A file that has been moved away under an acknowledgement is not deleted where it is now."""
    drive = world.emulator.drive(MOUNTS[mount])
    drive.put("/a", b"content")

    def do(verb: str) -> int:
        with closing(world.dav(mount, base=workers)) as dav:
            dav.propfind("", depth=1, check=207)
            return dav.move("a", "b").status if verb == "MOVE" else dav.delete("a").status

    world.emulator.faults.add("delete item", Delay(0.2))
    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(do, ["MOVE", "DELETE"]))
    assert statuses in ([201, 404], [404, 204])
    assert drive.tree() == ({"/b": b"content"} if statuses[0] == 201 else {})


def test_below_a_folder_that_does_not_show_yet(world: World, dav: Dav, mount: str) -> None:
    """By its path Microsoft does not find it at first: a folder is made below it all the same, and it is listed."""
    world.emulator.quirks.lookup_lag = 1
    dav.mkcol("new", check=201)
    world.clock.skip(TTL_SECONDS + 1)
    dav.mkcol("new/below", check=201)
    dav.mkcol("other", check=201)
    world.clock.skip(TTL_SECONDS + 1)
    dav.propfind("other/", depth=1, check=207)


def test_below_a_folder_that_was_asked_for_again(world: World, dav: Dav, mount: str) -> None:
    """A second MKCOL makes the bridge doubt the folder, and paths lag: what it made below it is there all the same."""
    world.emulator.quirks.lookup_lag = 3
    dav.mkcol("new", check=201)
    dav.mkcol("new/below", check=201)
    dav.put("new/below/a", b"content", check=201)
    dav.mkcol("new", check=405)
    dav.delete("new/below", check=204)
    assert world.emulator.drive(MOUNTS[mount]).tree() == {"/new": None}
