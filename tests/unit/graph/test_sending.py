"""What uploads are made of: shared memory, threads, the hash, and the judgement on what was stored."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.emulator.hashes import quick_xor
from davbridge.graph.integrity import Mismatch, check_stored
from davbridge.graph.memory import UNIT, Memory
from davbridge.graph.model import DriveItem
from davbridge.graph.quickxor import QuickXor
from davbridge.graph.senders import Senders
from tests.support.world import eventually

MIB = 2**20


def test_memory_is_divided() -> None:
    """One upload has 54 MiB; of 64, each has a part, and together they have the room at most."""
    memory = Memory(64 * MIB)
    with memory.upload() as alone:
        assert alone.resize(100 * MIB) == 54 * MIB // UNIT * UNIT
        assert alone.resize(3 * UNIT) == memory.taken == 3 * UNIT
    assert memory.taken == 0
    with ExitStack() as stack:
        shares = [stack.enter_context(memory.upload()) for _ in range(64)]
        sizes = [share.resize(100 * MIB) for share in shares]
        assert memory.taken == sum(sizes) <= 64 * MIB
        assert min(sizes) >= UNIT
        assert all(size % UNIT == 0 for size in sizes)
    assert memory.taken == 0


def test_memory_that_others_have() -> None:
    """Who comes while others hold much gets what is left, and one unit at least; what is filled is not taken away."""
    memory = Memory(10 * MIB)
    with memory.upload() as early, memory.upload() as late:
        early.resize(5 * MIB)
        with ExitStack() as stack:
            for _ in range(50):
                assert stack.enter_context(memory.upload()).resize(100 * MIB) >= UNIT
            assert early.resize(5 * MIB, 6 * UNIT) == 6 * UNIT
        assert early.resize(3 * UNIT) == 3 * UNIT
        assert late.resize(100 * MIB) == 5 * MIB // UNIT * UNIT
    assert memory.taken == 0


@given(st.lists(st.one_of(st.binary(max_size=500), st.sampled_from([b"\x5a" * 40960, b"ab" * 50_000])), max_size=6))
def test_the_hash(parts: list[bytes]) -> None:
    """It is the emulator's, however the bytes are cut."""
    hashed = QuickXor()
    for part in parts:
        hashed.update(part)
    assert hashed.digest() == quick_xor(parts or [b""])
    assert hashed.length == sum(map(len, parts))


def item(name: str, size: int, digest: str, drive_id: str) -> DriveItem:
    """A file as an upload's answer tells it."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return DriveItem("1", drive_id, "0", name, "file", size, "e", "c", now, now, quick_xor_hash=digest)


@pytest.mark.parametrize(
    ("name", "size", "digest", "drive_id", "right"),
    [
        ("a.bin", 5, "same", "b!x", True),
        ("a.bin", 5, "", "b!x", True),
        ("a.bin", 5, "other", "b!x", False),
        ("a.bin", 4, "other", "b!x", False),
        ("a.bin", 9, "other", "b!x", True),
        ("a.docx", 5, "other", "b!x", True),
        ("A.PDF", 4, "other", "b!x", True),
        ("a.docx", 5, "other", "0123456789abcdef", False),
        ("a.bin", 9, "other", "0123456789abcdef", False),
    ],
)
def test_what_was_stored(name: str, size: int, digest: str, drive_id: str, *, right: bool) -> None:
    """Other bytes are an error, unless a library may have written into the file."""
    if right:
        check_stored(item(name, size, digest, drive_id), 5, "same")
        return
    with pytest.raises(Mismatch):
        check_stored(item(name, size, digest, drive_id), 5, "same")


def test_senders_are_used_again() -> None:
    """One thread for one piece of work after the other, and another one for what comes meanwhile."""
    senders = Senders()
    go = threading.Event()
    first = senders.submit(threading.get_ident).result(5)
    eventually(lambda: senders._idle._value == 1)
    assert senders.submit(threading.get_ident).result(5) == first
    eventually(lambda: senders._idle._value == 1)
    waiting = senders.submit(lambda: (go.wait(5), threading.get_ident())[1])
    other = senders.submit(threading.get_ident).result(5)
    go.set()
    assert first in {other, waiting.result(5)}
    assert other != waiting.result(5)
    with pytest.raises(KeyError):
        senders.submit(lambda: {}["x"]).result(5)


def test_idle_senders_end() -> None:
    """A bridge that was busy once does not keep its threads."""
    ident = Senders(idle_seconds=0.01).submit(threading.get_ident).result(5)
    eventually(lambda: all(thread.ident != ident for thread in threading.enumerate()))


def test_senders_lose_no_work() -> None:
    """However work and the ends of idle threads meet."""
    senders = Senders(idle_seconds=0.001)
    for number in range(300):
        assert senders.submit(lambda number=number: number).result(5) == number
        time.sleep(0.001 * (number % 3))
