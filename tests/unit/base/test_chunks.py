"""Chunks on disk: durable, bounded, apart from each other, and gone in time."""

from __future__ import annotations

import errno
import io
import os
import threading
from pathlib import Path

import pytest

from davbridge.body import Body
from davbridge.clock import ManualClock
from davbridge.errors import BodyTruncated, Locked, NameRefused, NotFound, QuotaExceeded
from davbridge.store import chunks
from davbridge.store.chunkfiles import LEAST, held
from davbridge.store.chunks import ChunkStore

LIMIT = 10 * LEAST


@pytest.fixture
def clock() -> ManualClock:
    """It stands still."""
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> ChunkStore:
    """An empty one."""
    return ChunkStore(tmp_path / "chunks", LIMIT, clock)


def body(data: bytes) -> Body:
    """Of known length."""
    return Body(io.BytesIO(data), len(data))


def files(store: ChunkStore) -> list[str]:
    """What lies on the disk, without the lock file."""
    return sorted(path.name for path in store._folder.rglob("*") if path.is_file() and path.name != ".space")


def test_an_upload_lasts_a_day_from_its_last_chunk(store: ChunkStore, clock: ManualClock) -> None:
    """23 hours after a chunk it is there, a day after it is not; other uploads stay."""
    alice = store.of("alice")
    alice.make("one")
    clock.advance(23 * 3600)
    alice.write("one", "1", body(b"x"))
    clock.advance(23 * 3600)
    alice.make("two")
    store.look()
    assert alice.uploads() == ["one", "two"]
    clock.advance(3600 + 1)
    store.look()
    assert alice.uploads() == ["two"]
    assert files(store) == []


def test_sweeps_are_an_hour_apart(store: ChunkStore, clock: ManualClock) -> None:
    """The first at once; the disk is not read at each look."""
    alice = store.of("alice")
    alice.make("one")
    store.look()
    os.utime(store._folder / os.listdir(store._folder)[0] / "one", (0, 0))
    clock.advance(3000)
    store.look()
    assert alice.uploads() == ["one"]
    clock.advance(600)
    store.look()
    assert alice.uploads() == []


def test_what_the_dead_have_left_is_swept(store: ChunkStore) -> None:
    """A part that nobody writes and an upload half removed go; one that is being written, and the chunks, stay."""
    alice = store.of("alice")
    alice.make("one")
    alice.write("one", "1", body(b"x"))
    folder = next(store._folder.glob("*/one"))
    (folder / ".dead.part").write_bytes(b"half")
    (folder.parent / ".dead.gone").mkdir()
    living, descriptor = store.reserve(folder, 5)
    with held(folder, shared=True):  # somebody else adds to it
        store.sweep()
    assert files(store) == sorted([living.name, "1"])
    assert [path.name for path in folder.parent.iterdir()] == ["one"]
    os.close(descriptor)
    store.sweep()
    assert files(store) == ["1"]
    assert [chunk.size for chunk in alice.chunks("one")] == [1]


def test_an_upload_that_is_being_filled_or_put_together_is_not_swept(store: ChunkStore, clock: ManualClock) -> None:
    """However long it takes."""
    alice = store.of("alice")
    for name in ("one", "two"):
        alice.make(name)
    _, descriptor = store.reserve(next(store._folder.glob("*/one")), 5)
    with alice.assembling("two"):
        clock.advance(30 * 3600)
        store.sweep()
        assert alice.uploads() == ["one", "two"]
    os.close(descriptor)
    store.sweep()
    assert alice.uploads() == []


def test_the_room_is_for_all_together(store: ChunkStore) -> None:
    """Users, uploads, what is being written, and small chunks, which count as 64 KiB; what is removed is free again."""
    alice, bob = store.of("alice"), store.of("bob")
    alice.make("one")
    bob.make("one")
    alice.write("one", "1", body(bytes(4 * LEAST)))
    bob.write("one", "1", body(b"small"))
    assert store.used() == 5 * LEAST
    _, descriptor = store.reserve(next(store._folder.glob("*/one")), 4 * LEAST)
    with pytest.raises(QuotaExceeded):
        bob.write("one", "2", body(bytes(LEAST + 1)))
    bob.write("one", "2", body(bytes(LEAST)))
    with pytest.raises(QuotaExceeded):
        bob.write("one", "3", body(b""))
    os.close(descriptor)
    alice.remove("one")
    bob.remove("one")
    assert files(store) == []
    assert store.used() == 0


def test_the_uploads_of_a_user_have_a_bound(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty ones take no room, but each is a folder; other users have their own."""
    monkeypatch.setattr(chunks, "MOST", 2)
    alice = store.of("alice")
    alice.make("one")
    alice.make("two")
    with pytest.raises(QuotaExceeded):
        alice.make("three")
    store.of("bob").make("one")
    alice.remove("one")
    alice.make("three")


def test_the_room_holds_for_many_at_a_time(store: ChunkStore) -> None:
    """Of twenty chunks at once as many are taken as there is room for."""
    alice = store.of("alice")
    alice.make("one")
    stored: list[int] = []

    def send(number: int) -> None:
        try:
            alice.write("one", str(number), body(bytes(LEAST)))
            stored.append(number)
        except QuotaExceeded:
            pass

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [chunk.number for chunk in alice.chunks("one")] == sorted(stored)
    assert len(stored) == 10


def test_a_chunk_is_there_whole_or_not_at_all(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that breaks off, and a disk that is full in the middle, leave the chunk of before, and nothing beside."""
    alice = store.of("alice")
    alice.make("one")
    alice.write("one", "1", body(b"before"))
    with pytest.raises(BodyTruncated):
        alice.write("one", "1", Body(io.BytesIO(b"half"), 8))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(chunks.os, "write", full)
    with pytest.raises(QuotaExceeded):
        alice.write("one", "1", body(b"after"))
    assert [chunk.path.read_bytes() for chunk in alice.chunks("one")] == [b"before"]
    assert files(store) == ["1"]


def test_a_chunk_is_on_the_disk_before_it_is_acknowledged(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced before it has its name, the folder after."""
    alice = store.of("alice")
    alice.make("one")
    synced: list[tuple[bool, list[str]]] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        folder = next(store._folder.glob("*/one"))
        is_folder = os.path.sameopenfile(descriptor, opened := os.open(folder, os.O_RDONLY))
        os.close(opened)
        synced.append((is_folder, [name for name in os.listdir(folder) if not name.startswith(".")]))
        sync(descriptor)

    monkeypatch.setattr(chunks.os, "fsync", noted)
    alice.write("one", "1", body(b"x"))
    assert synced == [(False, []), (True, ["1"])]


def test_one_puts_together(store: ChunkStore) -> None:
    """Meanwhile nobody else does, and no chunk comes or goes; then all is as before, or gone."""
    alice = store.of("alice")
    alice.make("one")
    for number in (10, 9):
        alice.write("one", str(number), body(b"x"))
    with alice.assembling("one") as found:
        assert [chunk.name for chunk in found] == ["9", "10"]
        with pytest.raises(Locked), alice.assembling("one"):
            pass
        with pytest.raises(Locked):
            alice.write("one", "11", body(b"x"))
        with pytest.raises(Locked):
            alice.remove_chunk("one", "9")
        with pytest.raises(Locked):
            alice.remove("one")
    assert files(store) == ["10", "9"]
    with alice.assembling("one"):
        alice.forget("one")
        alice.make("one")
    assert alice.chunks("one") == []


def test_names_stay_in_the_folder(store: ChunkStore, tmp_path: Path) -> None:
    """Whatever a user, an upload or a chunk is called."""
    odd = store.of("../../etc")
    odd.make("one")
    for name in ("..", ".", "", "a/b", "/etc", ".gone", "a\n", "a b", "x" * 129):
        with pytest.raises(NameRefused):
            odd.make(name)
        with pytest.raises(NotFound):
            odd.chunks(name)
        with pytest.raises(NameRefused):
            odd.write("one", name, body(b"x"))
        with pytest.raises(NotFound):
            odd.remove_chunk("one", name)
    odd.write("one", "1", body(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == ["chunks"]
    folders = [store._folder, *(path for path in store._folder.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in store._folder.rglob("*") if path.is_file()} == {0o600}


def test_nothing_is_added_where_it_is_off(tmp_path: Path, clock: ManualClock) -> None:
    """What is there from before still goes in time."""
    before = ChunkStore(tmp_path / "chunks", LIMIT, clock).of("alice")
    before.make("one")
    off = ChunkStore(tmp_path / "chunks", None, clock)
    with pytest.raises(QuotaExceeded):
        off.of("alice").write("one", "1", body(b"x"))
    clock.advance(25 * 3600)
    off.look()
    assert before.uploads() == []
