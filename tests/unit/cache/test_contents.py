"""The blocks on disk: found whole or not at all, the least recently used out, and never a reason to fail."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from davbridge.cache import BLOCK, ContentCache, Filler
from davbridge.cache import contents as module
from davbridge.clock import ManualClock, SystemClock

LIMIT = 10 * (BLOCK + 64) * 8 // 7
"""Room for ten blocks, and an eighth for uploads under way."""


@pytest.fixture
def clock() -> ManualClock:
    """Moves on when it is told to."""
    return ManualClock()


@pytest.fixture
def cache(tmp_path: Path, clock: ManualClock) -> ContentCache:
    """An empty one."""
    return ContentCache.open(tmp_path / "content", LIMIT, clock)


def data_of(seed: int, size: int) -> bytes:
    """Some bytes."""
    return random.Random(seed).randbytes(size)


def fill(cache: ContentCache, version: str, data: bytes, *, step: int = 100_000) -> None:
    """As a download does."""
    filler = Filler(cache, 0, len(data), version, "etag")
    for start in range(0, len(data), step):
        filler.write(data[start : start + step])
    filler.close()


def kept(cache: ContentCache, version: str, blocks: int) -> list[int]:
    """The numbers of the blocks that are there."""
    return [number for number in range(blocks) if cache.read(version, number) is not None]


def files(folder: Path) -> list[Path]:
    """The blocks' files."""
    return [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]


def test_filling_and_reading(cache: ContentCache) -> None:
    """What comes in parts of any size is found in blocks, the short last one too, under what it was said to be."""
    data = data_of(1, 2 * BLOCK + 1000)
    fill(cache, "v", data)
    assert b"".join(cache.read("v", number) or b"" for number in range(4)) == data
    assert cache.read("w", 0) is None
    assert cache.entry("w") is None
    entry = cache.entry("v")
    assert entry
    assert (entry.etag, entry.total) == ("etag", len(data))


def test_the_middle_of_a_content(cache: ContentCache) -> None:
    """Blocks that are not whole are not kept."""
    filler = Filler(cache, 2 * BLOCK, 10 * BLOCK, "v")
    filler.write(data_of(1, BLOCK + 5))
    filler.close()
    assert kept(cache, "v", 10) == [2]


def test_an_unknown_version(cache: ContentCache, tmp_path: Path) -> None:
    """What is still being uploaded can be found by nobody; what was never stored is gone."""
    for stored in (False, True):
        filler = Filler(cache, 0, BLOCK)
        filler.write(data_of(1, BLOCK))
        if stored:
            filler.keep("v", "etag")
        else:
            filler.close()
        assert kept(cache, "v", 1) == ([0] if stored else [])
        assert len(files(tmp_path / "content")) == stored


def test_uploads_under_way(tmp_path: Path, clock: ManualClock) -> None:
    """Together they have a small part of the bound; what is over makes room for others."""
    cache = ContentCache.open(tmp_path / "content", 256 << 20, clock)
    assert cache.promise(700_000)
    assert not cache.promise(400_000)
    cache.give_back(700_000)
    assert cache.promise(1_000_000)
    cache.close()


def test_an_upload_whose_blocks_were_cleared_away(cache: ContentCache, tmp_path: Path) -> None:
    """What is still there is kept."""
    filler = Filler(cache, 0, 2 * BLOCK)
    filler.write(data_of(1, 2 * BLOCK))
    next((tmp_path / "content" / "new").iterdir()).unlink()
    filler.keep("v", "etag")
    assert len(kept(cache, "v", 2)) == 1


def test_the_bound(cache: ContentCache, clock: ManualClock, tmp_path: Path) -> None:
    """What was not read for the longest time goes; a read counts although no index hears of it."""
    for number in range(10):
        clock.advance(10)
        fill(cache, f"v{number}", data_of(number, BLOCK))
    assert cache.read("v0", 0)
    for number in range(10, 13):
        clock.advance(10)
        fill(cache, f"v{number}", data_of(number, BLOCK))
    assert [number for number in range(13) if kept(cache, f"v{number}", 1)] == [0, *range(4, 13)]
    assert cache.entry("v1") is None
    on_disk = sum(path.stat().st_size for path in files(tmp_path / "content"))
    assert on_disk == cache.used <= LIMIT


def test_a_content_larger_than_the_bound(cache: ContentCache) -> None:
    """It does not grow beyond it."""
    fill(cache, "v", data_of(1, 30 * BLOCK))
    assert cache.used <= LIMIT
    assert 8 <= len(kept(cache, "v", 30)) <= 10


@pytest.mark.parametrize("harm", ["cut", "zeros", "bit", "empty", "gone", "longer"])
def test_a_torn_block(cache: ContentCache, tmp_path: Path, harm: str) -> None:
    """A block that is not what was written is no block, and can be written again."""
    data = data_of(1, BLOCK)
    fill(cache, "v", data)
    (path,) = files(tmp_path / "content")
    raw = path.read_bytes()
    harmed = {
        "cut": raw[:-1],
        "zeros": raw[:1000] + bytes(len(raw) - 1000),
        "bit": raw[:-1] + bytes([raw[-1] ^ 1]),
        "empty": b"",
        "longer": raw + b"x",
    }
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(harmed[harm])
    assert cache.read("v", 0) is None
    fill(cache, "v", data)
    assert cache.read("v", 0) == data
    assert cache.used == path.stat().st_size


def test_a_full_disk(
    cache: ContentCache, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is kept for a while, which is logged once, and nothing fails."""

    def full(*args: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.zlib, "crc32", full)
        fill(cache, "v", data_of(1, 3 * BLOCK))
    assert kept(cache, "v", 3) == []
    assert len(caplog.records) == 1
    fill(cache, "v", data_of(1, BLOCK))
    assert kept(cache, "v", 1) == []
    clock.advance(61)
    fill(cache, "v", data_of(1, BLOCK))
    assert kept(cache, "v", 1) == [0]


def test_a_damaged_index(cache: ContentCache, tmp_path: Path, clock: ManualClock) -> None:
    """The cache begins anew, without what nobody counts any more."""
    fill(cache, "v", data_of(1, 2 * BLOCK))
    cache.close()
    folder = tmp_path / "content"
    for path in folder.glob("index.sqlite*"):
        path.write_bytes(b"no database" * 1000)
    other = ContentCache.open(folder, LIMIT, clock)
    assert kept(other, "v", 2) == []
    assert files(folder) == []
    fill(other, "v", data_of(1, BLOCK))
    assert kept(other, "v", 1) == [0]


def test_an_index_that_is_lost_while_it_is_used(cache: ContentCache, tmp_path: Path) -> None:
    """Nothing is kept or found, and nothing fails."""
    fill(cache, "v", data_of(1, BLOCK))
    for path in (tmp_path / "content").glob("index.sqlite*"):
        path.write_bytes(b"no database" * 1000)
    fill(cache, "w", data_of(2, BLOCK))
    cache.entry("v")
    cache.confirm("v", "other")
    assert cache.used >= 0


def test_half_written_files(tmp_path: Path, clock: ManualClock) -> None:
    """What a killed process left is cleared away, what another one is writing is not."""
    folder = tmp_path / "content"
    ContentCache.open(folder, LIMIT, clock).close()
    now = clock.now().timestamp()
    for name, age in (("old", 1000.0), ("new", 10.0)):
        (folder / "new" / name).write_bytes(b"half")
        os.utime(folder / "new" / name, (now - age, now - age))
    ContentCache.open(folder, LIMIT, clock).close()
    assert [path.name for path in (folder / "new").iterdir()] == ["new"]


def test_two_at_a_time(tmp_path: Path, clock: ManualClock) -> None:
    """Two processes fill and read the same folder: what is found is right, and what is counted is there."""
    folder = tmp_path / "content"
    caches = [ContentCache.open(folder, LIMIT, clock) for _ in range(2)]
    wrong = []

    def work(cache: ContentCache, seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(60):
            number = rng.randrange(8)
            data = data_of(number, BLOCK * (number % 3 + 1))
            fill(cache, f"v{number}", data)
            for block in range(number % 3 + 1):
                found = cache.read(f"v{number}", block)
                if found is not None and found != data[block * BLOCK : (block + 1) * BLOCK]:
                    wrong.append(number)
        cache.close()

    threads = [threading.Thread(target=work, args=(cache, seed)) for seed, cache in enumerate(caches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(path.stat().st_size for path in files(folder)) == caches[0].used <= LIMIT
    caches[0].close()


_WRITER = """
import random, sys
from pathlib import Path
from davbridge.cache import BLOCK, ContentCache, Filler
from davbridge.clock import SystemClock
cache = ContentCache.open(Path(sys.argv[1]), int(sys.argv[2]), SystemClock())
print("ready", flush=True)
while True:
    for number in range(8):
        filler = Filler(cache, 0, 2 * BLOCK, f"v{number}", "etag")
        filler.write(random.Random(number).randbytes(2 * BLOCK))
        filler.close()
"""


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """Whenever that happens, each block that is found is whole, and the cache can go on."""
    folder = tmp_path / "content"
    expected = {number: data_of(number, 2 * BLOCK) for number in range(8)}
    for seconds in (0.0, 0.01, 0.03, 0.1, 0.2):
        command = [sys.executable, "-c", _WRITER, str(folder), str(LIMIT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout
            assert child.stdout.readline() == b"ready\n"
            time.sleep(seconds)
            child.kill()
        cache = ContentCache.open(folder, LIMIT, SystemClock())
        for number, data in expected.items():
            for block in range(2):
                found = cache.read(f"v{number}", block)
                assert found in (None, data[block * BLOCK : (block + 1) * BLOCK])
        fill(cache, "w", data_of(9, BLOCK))
        assert cache.read("w", 0) == data_of(9, BLOCK)
        assert cache.used <= LIMIT
        cache.close()
