"""Short ranges one after the other: few requests, and the same truth as for each by itself."""

from __future__ import annotations

import random

import pytest

from davbridge.emulator.faults import Action as Fault
from davbridge.emulator.faults import Reset, Truncate
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

CONTENT = random.Random(1).randbytes(8 << 20)
OTHER = random.Random(2).randbytes(8 << 20)
STEP = 64 << 10


@pytest.fixture
def stored(world: World, mount: str, dav: Dav) -> bytes:
    """`/a.bin` on the drive, and its address known."""
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT)
    dav.get("a.bin", headers={"Range": "bytes=5000000-5000009"}, check=206)
    return CONTENT


def piece(dav: Dav, start: int) -> bytes:
    """The next 64 KiB."""
    answer = dav.get("a.bin", headers={"Range": f"bytes={start}-{start + STEP - 1}"}, check=206)
    assert answer.header("Content-Range") == f"bytes {start}-{start + STEP - 1}/{len(CONTENT)}"
    return answer.body


def test_a_sequence(world: World, dav: Dav, stored: bytes) -> None:
    """After the third one it is read on, in a few requests; none of them is a Graph call."""
    with world.emulator.calls.counting() as calls:
        read = b"".join(piece(dav, start) for start in range(0, len(stored), STEP))
    assert read == stored
    assert (calls.graph, calls.download <= 9) == (0, True), calls.operations


def test_ranges_at_random(world: World, dav: Dav, stored: bytes) -> None:
    """Each costs one request of its length."""
    places = random.Random(3).sample(range(0, len(stored), STEP), 12)
    with world.emulator.calls.counting() as calls:
        for start in places:
            assert piece(dav, start) == stored[start : start + STEP]
    assert (calls.graph, calls.download) == (0, 12)


def test_a_seek(world: World, dav: Dav, stored: bytes) -> None:
    """Another place is another request; coming back to where it stopped is none."""
    for start in range(0, 4 * STEP, STEP):
        piece(dav, start)
    with world.emulator.calls.counting() as calls:
        assert piece(dav, 50 * STEP) == stored[50 * STEP : 51 * STEP]
        assert piece(dav, 4 * STEP) == stored[4 * STEP : 5 * STEP]
    assert calls.download == 1


def test_another_version(world: World, dav: Dav, stored: bytes, mount: str) -> None:
    """What was stored through the bridge is seen by the next range, whatever was fetched of the version before."""
    for start in range(0, 4 * STEP, STEP):
        piece(dav, start)
    tag = dav.head("a.bin").etag
    dav.put("a.bin", OTHER, check=204)
    assert piece(dav, 4 * STEP) == OTHER[4 * STEP : 5 * STEP]
    dav.get("a.bin", headers={"Range": "bytes=0-9", "If-Match": tag}, check=412)
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT)
    world.forget()
    assert piece(dav, 5 * STEP) == stored[5 * STEP : 6 * STEP]


@pytest.mark.parametrize("fault", [Reset(after=5 * STEP), Truncate(after=5 * STEP)], ids=repr)
def test_a_response_that_breaks_while_it_waits(world: World, dav: Dav, stored: bytes, fault: Fault) -> None:
    """The next range is mended, or asked for by itself."""
    world.emulator.faults.add("download", fault, nth=3)
    for start in range(0, 20 * STEP, STEP):
        assert piece(dav, start) == stored[start : start + STEP]
    assert world.emulator.faults.pending == 0


def test_the_end_of_the_file(dav: Dav, stored: bytes) -> None:
    """There is nothing to read on."""
    for start in range(len(stored) - 5 * STEP, len(stored), STEP):
        assert piece(dav, start) == stored[start : start + STEP]
    dav.get("a.bin", headers={"Range": f"bytes={len(stored)}-{len(stored) + 9}"}, check=416)
