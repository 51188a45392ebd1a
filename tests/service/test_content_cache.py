"""`cache`: the same bytes again cost nothing, and are those of the version that is there now."""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.cache import BLOCK
from davbridge.emulator.faults import Garble, Status
from davbridge.figures import figures
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World, running_world

CONTENT = random.Random(1).randbytes(5 * BLOCK + 1000)
OTHER = random.Random(2).randbytes(len(CONTENT))
LARGE = random.Random(3).randbytes(32 << 20)


@pytest.fixture(scope="module")
def caching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A bridge that keeps contents."""
    with running_world(tmp_path_factory.mktemp("caching"), cache="512M") as world:
        yield world


@pytest.fixture
def world(caching: World) -> World:
    """It, with empty drives; what is kept of former ones has other ids."""
    caching.reset()
    return caching


@pytest.fixture
def dav(world: World, mount: str) -> Iterator[Dav]:
    """A client, and `/a.bin` in the drive."""
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT)
    client = world.dav(mount)
    yield client
    client.close()


def blocks(world: World, mount: str) -> list[Path]:
    """The files of the policy's blocks."""
    folder = world.folder / "state" / "content" / mount
    return [path for path in folder.glob("*/*/*") if path.is_file()]


def ranged(start: int, end: int) -> dict[str, str]:
    """A Range header, `end` exclusive."""
    return {"Range": f"bytes={start}-{end - 1}"}


def test_the_same_bytes_again(world: World, dav: Dav) -> None:
    """No call, no download; the answer is the same to the last header."""
    first = dav.get("a.bin", check=200)
    with world.emulator.calls.counting() as calls:
        again = dav.get("a.bin", check=200)
        part = dav.get("a.bin", headers=ranged(BLOCK - 10, 3 * BLOCK + 10), check=206)
    assert (calls.graph, calls.download) == (0, 0)
    assert first.body == again.body == CONTENT
    assert part.body == CONTENT[BLOCK - 10 : 3 * BLOCK + 10]
    assert (first.etag, first.header("Content-Length")) == (again.etag, again.header("Content-Length"))
    dav.get("a.bin", headers=ranged(len(CONTENT), len(CONTENT) + 5), check=416)


def test_the_same_range_again(world: World, dav: Dav) -> None:
    """A short range is kept, too, with the blocks that it is a part of."""
    places = [(5, 10), (BLOCK - 5, BLOCK + 5), (5 * BLOCK + 10, 5 * BLOCK + 20)]
    for start, end in places:
        assert dav.get("a.bin", headers=ranged(start, end), check=206).body == CONTENT[start:end]
    with world.emulator.calls.counting() as calls:
        for start, end in places:
            assert dav.get("a.bin", headers=ranged(start, end), check=206).body == CONTENT[start:end]
        suffix = dav.get("a.bin", headers={"Range": "bytes=-10"}, check=206)
    assert suffix.body == CONTENT[-10:]
    assert (calls.graph, calls.download) == (0, 0)


def test_what_is_missing(world: World, dav: Dav, mount: str) -> None:
    """What is kept comes from disk, the rest of the same version from Microsoft, and then it is kept."""
    dav.get("a.bin", check=200)
    for path in blocks(world, mount):
        if path.name == "3" and path.stat().st_size > BLOCK:
            path.unlink()
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.bin", check=200).body == CONTENT
    assert (calls.graph, calls.download) == (0, 1)
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.bin", check=200).body == CONTENT
    assert (calls.graph, calls.download) == (0, 0)


def test_torn_blocks(world: World, dav: Dav, mount: str) -> None:
    """What a crash has left is not served."""
    dav.get("a.bin", check=200)
    for path in blocks(world, mount):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert dav.get("a.bin", check=200).body == CONTENT


def test_another_version(world: World, dav: Dav, mount: str) -> None:
    """What was stored here is seen at once; what was stored elsewhere as soon as the mirror knows of it."""
    dav.get("a.bin", check=200)
    dav.put("a.bin", OTHER, check=204)
    assert dav.get("a.bin", check=200).body == OTHER
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT[:-1])
    world.forget()
    assert dav.get("a.bin", check=200).body == CONTENT[:-1]
    dav.delete("a.bin", check=204)
    dav.get("a.bin", check=404)


def test_another_version_while_it_is_read(world: World, dav: Dav, mount: str) -> None:
    """The rest of a version that is gone: the connection is cut, and nothing of another one follows."""
    dav.get("a.bin", headers=ranged(0, 2 * BLOCK), check=206)
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", OTHER)
    with pytest.raises(http.client.IncompleteRead) as broken:
        dav.get("a.bin")
    assert CONTENT.startswith(broken.value.partial)
    assert dav.get("a.bin", check=200).body == OTHER


def test_the_same_content_of_a_renamed_file(world: World, dav: Dav, mount: str) -> None:
    """A new eTag is asked about once, by one call; the bytes are still there."""
    dav.get("a.bin", check=200)
    dav.move("a.bin", "b.bin", check=201)
    for graph in (1, 0):
        with world.emulator.calls.counting() as calls:
            assert dav.get("b.bin", check=200).body == CONTENT
        assert (calls.graph, calls.download) == (graph, 0)


def test_access(world: World) -> None:
    """All users of a policy share it; who may not read gets nothing."""
    world.emulator.drive("documents").put("/a.bin", CONTENT)
    world.emulator.drive("business").put("/a.bin", CONTENT)
    world.dav("team").get("a.bin", headers={"Connection": "close"}, check=200)
    world.dav("me").get("a.bin", headers={"Connection": "close"}, check=200)
    with world.emulator.calls.counting() as calls:
        answer = world.dav("team", "bob").get("a.bin", headers={"Connection": "close"}, check=200)
        world.dav("me", "bob").get("a.bin", headers={"Connection": "close"}, check=(403, 404))
    assert answer.body == CONTENT
    assert (calls.graph, calls.download) == (0, 0)


def test_conditions(dav: Dav) -> None:
    """They hold for what is kept as for anything else."""
    tag = dav.get("a.bin", check=200).etag
    dav.get("a.bin", headers={"If-Match": tag}, check=200)
    dav.get("a.bin", headers={"If-Match": '"other"'}, check=412)
    dav.get("a.bin", headers={"If-None-Match": tag}, check=304)


def test_a_large_file(world: World, dav: Dav, mount: str) -> None:
    """Over several connections it is kept in the same way."""
    world.emulator.drive(MOUNTS[mount]).put("/large.bin", LARGE)
    world.emulator.line.set(0.02, 3e7)
    assert dav.get("large.bin", check=200).body == LARGE
    with world.emulator.calls.counting() as calls:
        assert dav.get("large.bin", check=200).body == LARGE
    assert (calls.graph, calls.download) == (0, 0)


def test_an_expired_address(world: World, dav: Dav, mount: str) -> None:
    """The rest of a version is asked for at a fresh address."""
    dav.get("a.bin", headers=ranged(0, BLOCK), check=206)
    world.emulator.faults.add("download", Status(401))
    assert dav.get("a.bin", check=200).body == CONTENT
    assert world.emulator.faults.pending == 0


def test_the_figure(world: World, dav: Dav, mount: str) -> None:
    """`/metrics` tells how much there is; of a policy that keeps nothing, nothing."""
    dav.get("a.bin", check=200)
    told = {gauge.labels["policy"]: gauge for gauge in figures(world.bridge.drivers, {}, {}) if "cache" in gauge.name}
    assert told[mount].value >= len(CONTENT)


def test_an_empty_file(world: World, dav: Dav, mount: str) -> None:
    """Nothing is kept of nothing."""
    world.emulator.drive(MOUNTS[mount]).put("/empty.bin", b"")
    for _ in range(2):
        assert dav.get("empty.bin", check=200).body == b""


def test_own_uploads(world: World, dav: Dav, mount: str) -> None:
    """What was stored through the bridge is read without Microsoft, and each version is its own."""
    for data, status in ((OTHER[:300_000], 201), (OTHER[300_000:900_000], 204)):
        dav.put("new.bin", data, check=status)
        with world.emulator.calls.counting() as calls:
            assert dav.get("new.bin", check=200).body == data
        assert (calls.graph, calls.download) == (0, 0)
        assert world.emulator.drive(MOUNTS[mount]).read("/new.bin") == data


def test_uploads_that_are_rewritten(world: World, dav: Dav) -> None:
    """What SharePoint may have changed comes from there."""
    dav.put("a.docx", OTHER[:300_000], check=201)
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.docx", check=200).body.startswith(OTHER[:300_000])
    assert calls.download == 1


def test_an_upload_that_fails(world: World, dav: Dav, mount: str) -> None:
    """The version that is there stays what is read."""
    dav.get("a.bin", check=200)
    world.emulator.faults.add("put content", Status(507, code="quotaLimitReached"))
    dav.put("a.bin", OTHER[:1000], check=507)
    assert dav.get("a.bin", check=200).body == CONTENT


def test_an_upload_that_is_sent_again(world: World, dav: Dav, mount: str) -> None:
    """What came out of the spool can be had once more, and what is kept is what was stored in the end."""
    world.emulator.faults.add("put fragment", Garble())
    data = OTHER[:300_000]
    dav.put("a.bin", iter([data]), headers={"X-OC-Mtime": "1700000000"}, check=204)
    assert world.emulator.faults.pending == 0
    assert world.emulator.drive(MOUNTS[mount]).read("/a.bin") == data
    with world.emulator.calls.counting() as calls:
        assert dav.get("a.bin", check=200).body == data
    assert (calls.graph, calls.download) == (0, 0)
