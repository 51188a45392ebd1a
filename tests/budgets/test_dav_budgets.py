"""Graph calls for one DAV operation, counted at the emulator (docs/architecture.md has the table)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

pytestmark = pytest.mark.usefixtures("small_fragments")

BIG = 25 * 2**20
"""Three fragments."""
MTIME = {"X-OC-Mtime": "1580702706"}


@dataclass(frozen=True)
class Budget:
    """Graph calls: warm (at most, where listings and no delta tell of the tree), and cold, exactly.

    `others` are requests to pre-authenticated URLs, at most, in either case.
    """

    name: str
    act: Callable[[Dav], object]
    warm: int
    cold: int
    others: int = 0


def lock_and_unlock(dav: Dav) -> None:
    """All that a lock's life asks for."""
    token = dav.lock("d/f.txt", check=200).token
    dav.request("LOCK", "d/f.txt", headers={"If": f"(<{token}>)", "Content-Length": "0"}, check=200)
    dav.unlock("d/f.txt", token, check=204)


BUDGETS = (
    Budget("PROPFIND depth 0", lambda dav: dav.propfind("d/f.txt", check=207), 0, 1),
    Budget("PROPFIND depth 1", lambda dav: dav.propfind("d", depth=1, check=207), 0, 1),
    Budget("PROPFIND of what is not there", lambda dav: dav.propfind("d/none", check=404), 0, 2),
    Budget("HEAD", lambda dav: dav.head("d/f.txt", check=200), 0, 1),
    Budget("GET", lambda dav: dav.get("d/f.txt", check=200), 1, 1, others=1),
    Budget("PUT in one request", lambda dav: dav.put("d/f.txt", b"new", check=204), 1, 1),
    Budget("PUT of a new file", lambda dav: dav.put("d/new.txt", b"new", check=201), 1, 1),
    Budget("PUT in the root", lambda dav: dav.put("new.txt", b"new", check=201), 1, 1),
    Budget("PUT with mtime", lambda dav: dav.put("d/f.txt", b"new", headers=MTIME, check=204), 1, 1, others=1),
    Budget("PUT in 3 fragments", lambda dav: dav.put("d/f.txt", bytes(BIG), check=204), 1, 1, others=3),
    Budget("MKCOL", lambda dav: dav.mkcol("d/sub", check=201), 1, 1),
    Budget("MKCOL of what is there", lambda dav: dav.mkcol("d", check=405), 0, 1),
    Budget("DELETE of a file", lambda dav: dav.delete("d/f.txt", check=204), 1, 1),
    Budget("DELETE of a tree", lambda dav: dav.delete("d", check=204), 1, 1),
    Budget("rename", lambda dav: dav.move("d/f.txt", "d/g.txt", check=201), 1, 3),
    Budget("rename in case only", lambda dav: dav.move("d/f.txt", "d/F.txt", check=(201, 204)), 1, 2),
    Budget("move", lambda dav: dav.move("d/f.txt", "e/g.txt", check=201), 1, 3),
    Budget("move over a file", lambda dav: dav.move("d/f.txt", "e/old.txt", check=204), 1, 3),
    Budget("COPY of a file", lambda dav: dav.copy("d/f.txt", "e/g.txt", check=201), 1, 3, others=9),
    Budget("COPY of a tree", lambda dav: dav.copy("d", "e/d", check=201), 1, 3, others=9),
    Budget("LOCK, refresh and UNLOCK", lock_and_unlock, 0, 0),
    Budget("PROPPATCH dead", lambda dav: dav.proppatch("d/f.txt", "<x:p>1</x:p>", check=207), 0, 1),
    Budget(
        "PROPPATCH times",
        lambda dav: dav.proppatch("d/f.txt", "<D:lastmodified>1580702706</D:lastmodified>", check=207),
        1,
        1,
    ),
    Budget("quota", lambda dav: dav.propfind("", body="<D:quota-used-bytes/>", check=207), 0, 1),
)


@pytest.fixture(params=BUDGETS, ids=lambda budget: budget.name)
def budget(request: pytest.FixtureRequest, world: World, mount: str) -> Budget:
    """Each budget, with `/d/f.txt` and `/e/old.txt` on the drive."""
    drive = world.emulator.drive(MOUNTS[mount])
    drive.put("/d/f.txt", b"content")
    drive.put("/e/old.txt", b"old content")
    world.bridge.drivers[mount].probe()
    world.bridge.drivers[mount].quota()  # which finding the drive tells, too
    return request.param  # type: ignore[no-any-return]


def test_cold(world: World, dav: Dav, budget: Budget) -> None:
    """When nothing is known of the tree but where its root is."""
    with world.emulator.calls.counting() as calls:
        budget.act(dav)
    assert calls.graph == budget.cold, calls.operations
    assert calls.upload + calls.download + calls.monitor <= budget.others, calls.operations


def test_warm(world: World, dav: Dav, budget: Budget) -> None:
    """When the folders have been listed a moment ago."""
    for folder in ("", "d", "e"):
        dav.propfind(folder, depth=1, body="<D:quota-used-bytes/><D:getetag/>", check=207)
    dav.propfind("d/none")
    with world.emulator.calls.counting() as calls:
        budget.act(dav)
    assert calls.graph <= budget.warm, calls.operations
    assert calls.upload + calls.download + calls.monitor <= budget.others, calls.operations


def test_next_range(world: World, dav: Dav, mount: str) -> None:
    """The second range of a file costs its download and nothing else."""
    world.emulator.drive(MOUNTS[mount]).put("/film.mp4", bytes(100_000))
    dav.get("film.mp4", headers={"Range": "bytes=0-9"}, check=206)
    with world.emulator.calls.counting() as calls:
        dav.get("film.mp4", headers={"Range": "bytes=1000-1999"}, check=206)
    assert (calls.graph, calls.download) == (0, 1)


def test_second_page(world: World, dav: Dav, mount: str) -> None:
    """A folder of 1,100 files cold: one call for the folder with its first 200, then only further pages."""
    drive = world.emulator.drive(MOUNTS[mount])
    for number in range(1100):
        drive.put(f"/many/{number}.txt", b"x")
    with world.emulator.calls.counting() as calls:
        assert len(dav.propfind("many", depth=1, check=207).resources) == 1101
    assert calls.graph <= 1 + 5, calls.operations


def test_safe_save(world: World, dav: Dav) -> None:
    """MOVE of a file just uploaded here over another: at most three calls and its bytes."""
    dav.put("doc.txt", b"old", check=201)
    dav.put("doc.tmp", b"new", check=201)
    with world.emulator.calls.counting() as calls:
        dav.move("doc.tmp", "doc.txt", check=204)
    assert calls.graph <= 3, calls.operations


def test_delete_of_a_thousand(world: World, dav: Dav, mount: str) -> None:
    """One call, however much is in the folder."""
    drive = world.emulator.drive(MOUNTS[mount])
    for number in range(1000):
        drive.put(f"/many/{number // 100}/{number}.txt", b"x")
    dav.propfind("", depth=1, check=207)
    with world.emulator.calls.counting() as calls:
        dav.delete("many", check=204)
    assert calls.operations == ["delete item"]
