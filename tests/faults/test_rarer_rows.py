"""Rows of the fault table that come seldom: another drive, a clock that jumps, a state that is locked, hours of 429.

As in `test_rows`: the status to the client, and what is stored, on both kinds of drives.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from davbridge.emulator.blobs import Blob
from davbridge.emulator.faults import Reset, Status
from davbridge.errors import BadUpstream
from davbridge.mirror import file as files
from davbridge.store import database as databases
from tests.faults.conftest import BEFORE, NEW, OLD
from tests.faults.test_writers import expecting
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

WITHOUT = {path: data for path, data in BEFORE.items() if path != "/a.bin"}
HOUR = 3600


class Vast(Blob):
    """Zeros, of which only those that are asked for are made."""

    def __init__(self, size: int) -> None:
        super().__init__(None, None, size)

    def open(self, start: int = 0) -> io.BytesIO:
        assert self.size - start < 2**20, "only its end is wanted"
        return io.BytesIO(bytes(self.size - start))


def names(dav: Dav, path: str = "") -> set[str]:
    """What a listing shows."""
    return {
        resource.href.rstrip("/").rpartition("/")[2]
        for resource in dav.propfind(path, depth=1, check=207).resources[1:]
    }


# -- F29: delta tokens that are too old


@pytest.mark.parametrize("code", ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"])
def test_changes_that_cannot_be_told_any_more(world: World, dav: Dav, drive, code: str) -> None:
    """F29: nobody sees that all is enumerated anew; meanwhile the old state and our own writes, then the truth."""
    rounds = world.bridge.pollers.round
    rounds()
    with world.emulator.calls.counting() as calls:
        assert names(dav) == {"a.bin", "d"}
    assert calls.graph == 0, "the mirror is kept"
    drive.delete("/d/e")
    drive.put("/theirs.bin", NEW)
    drive.expire_delta(code)
    world.emulator.faults.add("delta", Reset(), times=20)
    with pytest.raises(BadUpstream):
        rounds()
    world.emulator.faults.clear()
    dav.put("ours.bin", NEW, check=201)
    assert {"a.bin", "d", "ours.bin"} <= names(dav)
    assert dav.get("a.bin", check=200).body == OLD
    for _ in range(3):
        rounds()
    with world.emulator.calls.counting() as calls:
        assert names(dav) == {"a.bin", "d", "ours.bin", "theirs.bin"}
        assert names(dav, "d") == {"b"}
        dav.propfind("d/e/c", check=404)
    assert calls.graph == 0, "the deletions are known, too"
    assert dav.get("theirs.bin", check=200).body == NEW
    assert drive.tree() == {"/a.bin": OLD, "/d": None, "/d/b": OLD, "/ours.bin": NEW, "/theirs.bin": NEW}


# -- F38: another drive


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
@pytest.mark.parametrize("source", ["a.bin", "d"])
def test_between_two_policies(world: World, dav: Dav, drive, mount: str, method: str, source: str) -> None:
    """F38: another drive is like another server (502): nothing is copied, and nothing goes."""
    other = next(name for name in MOUNTS if name != mount)
    there = world.emulator.drive(MOUNTS[other])
    there.put("/kept", OLD)
    with world.emulator.calls.counting() as calls:
        for target in ("z", "kept"):
            headers = {"Destination": world.dav(other).url(target)}
            dav.request(method, source, headers=headers, check=502)
    assert calls.graph == 0
    assert drive.tree() == BEFORE
    assert there.tree() == {"/kept": OLD}


@pytest.fixture
def shared(world: World, dav: Dav, drive, mount: str):
    """Another drive, with a folder that has a shortcut in this one."""
    other = world.emulator.drive("archive")
    other.put("/shared/theirs", OLD)
    drive.shortcut("link", other, "/shared")
    world.forget()
    dav.propfind("", depth=1, check=207)
    return other


@pytest.mark.parametrize("source", ["a.bin", "d"])
def test_a_move_to_where_a_shortcut_leads(dav: Dav, drive, shared, source: str) -> None:
    """F38: what lies on another drive cannot be moved to in one step; it is refused, and all stays where it is."""
    status = dav.move(source, "link/z").status
    assert status in (403, 405, 502)
    tree = {path: data for path, data in drive.tree().items() if not path.startswith("/link")}
    assert tree == BEFORE
    assert shared.tree() == {"/shared": None, "/shared/theirs": OLD}


# -- F43: a state that is locked


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process writes into a SQLite file, and takes its time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def mirrors_locked(world: World) -> Iterator[None]:
    """So with every mirror of the bridge."""
    with ExitStack() as stack:
        for path in (world.folder / "state" / "mirror").glob("*.sqlite"):
            stack.enter_context(locked(path))
        yield


@pytest.fixture
def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits five seconds for a lock in a test."""
    monkeypatch.setattr(databases, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(databases, "_LONG_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(files, "_MISS_SECONDS", 0.05)
    connect_anew(world)
    yield
    monkeypatch.undo()
    connect_anew(world)


def connect_anew(world: World) -> None:
    """Each connection has the patience that it was opened with."""
    world.bridge.database.reopen()
    for file in world.bridge.mirrors._files.values():
        file._database.reopen()


WRITES = {
    "PUT": (lambda dav: dav.put("a.bin", NEW), 204, {**BEFORE, "/a.bin": NEW}),
    "MKCOL": (lambda dav: dav.mkcol("f"), 201, {**BEFORE, "/f": None}),
    "MOVE": (
        lambda dav: dav.move("a.bin", "z"),
        201,
        {**{p: c for p, c in BEFORE.items() if p != "/a.bin"}, "/z": OLD},
    ),
    "DELETE": (lambda dav: dav.delete("a.bin"), 204, {p: c for p, c in BEFORE.items() if p != "/a.bin"}),
}


@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
def test_reads_beside_a_locked_mirror(
    world: World, dav: Dav, drive, mount: str, impatient: None, *, known: bool
) -> None:
    """F43: it is passed by: what is read is answered, and just not kept."""
    if not known:
        world.clock.skip(HOUR)
        drive.put("/d/theirs", NEW)
    with mirrors_locked(world):
        assert names(dav) == {"a.bin", "d"}
        assert names(dav, "d") == ({"b", "e"} if known else {"b", "e", "theirs"})
        assert dav.get("a.bin", check=200).body == OLD
        assert dav.get("d/e/c", headers={"Range": "bytes=4-"}, check=206).body == NEW[4:]
        dav.propfind("d/none", check=404)
    assert names(dav, "d/e") == {"c"}


@pytest.mark.parametrize("verb", WRITES)
def test_writes_beside_a_locked_mirror(world: World, dav: Dav, drive, mount: str, impatient: None, verb: str) -> None:
    """F43: what others of this bridge cannot be told of is not acknowledged: 503, and done or not; later it is seen."""
    ask, good, after = WRITES[verb]
    with mirrors_locked(world):
        answer = ask(dav)
    assert answer.status in (good, 503)
    if answer.status == 503:
        assert int(answer.header("Retry-After")) > 0
    assert drive.tree() in ([after] if answer.status == good else [BEFORE, after])
    world.clock.skip(60)
    assert names(dav) == {path[1:] for path in drive.tree() if path.count("/") == 1}


def test_a_state_file_that_is_locked(world: World, dav: Dav, drive, mount: str, impatient: None) -> None:
    """F43: reads go on; what must be written down before it is done is 503, to be tried again, and not done."""
    large = bytes(6_000_000)
    with locked(world.folder / "state" / "state.sqlite"):
        assert names(dav) == {"a.bin", "d"}
        assert dav.get("a.bin", check=200).body == OLD
        answer = dav.put("a.bin", large, check=503)
        assert int(answer.header("Retry-After")) > 0
        dav.lock("a.bin", check=503)
        assert drive.tree() == BEFORE
        assert drive.open_sessions == 0
    dav.put("a.bin", large, check=204)
    assert drive.read("/a.bin") == large


# -- F50: hours of throttling


def test_hours_of_throttling(world: World, dav: Dav, drive) -> None:
    """F50: writes are 503 with Retry-After and leave all as it is; a call an hour finds out; then all goes on."""
    refusal = Status(429, retry_after=HOUR, code="activityLimitReached")
    world.emulator.faults.add("*", refusal, times=3)
    clients = {
        "PUT": lambda: dav.put("a.bin", NEW),
        "MKCOL": lambda: dav.mkcol("f"),
        "MOVE": lambda: dav.move("a.bin", "z"),
        "COPY": lambda: dav.copy("a.bin", "z"),
        "DELETE": lambda: dav.delete("a.bin"),
        "GET": lambda: dav.get("d/e/c"),
    }
    for _ in range(3):
        with world.emulator.calls.counting() as calls:
            for verb, ask in clients.items():
                answer = ask()
                assert answer.status == 503, verb
                assert 0 < int(answer.header("Retry-After")) <= HOUR, verb
        assert calls.graph == 1, "one probe, and who comes while the gate is shut asks nobody"
        assert drive.tree() == BEFORE
        world.clock.skip(HOUR + 1)
    assert clients["PUT"]().status == 204
    assert drive.tree() == {**BEFORE, "/a.bin": NEW}
    assert dav.get("d/e/c", check=200).body == NEW


def test_listings_while_all_is_throttled(world: World, dav: Dav, drive) -> None:
    """F50: what the mirror holds is still shown, and never as if it were gone."""
    world.bridge.pollers.round()
    world.emulator.faults.add("*", Status(429, retry_after=HOUR, code="activityLimitReached"), times=50)
    dav.put("a.bin", NEW, check=503)
    assert names(dav) == {"a.bin", "d"}
    assert names(dav, "d") == {"b", "e"}
    world.clock.skip(HOUR / 2)
    assert dav.propfind("", depth=1).status in (207, 503)
    assert dav.propfind("d/b", depth=0).status in (207, 503)
    world.emulator.faults.clear()
    world.clock.skip(HOUR + 1)
    dav.put("a.bin", NEW, check=204)


# -- F52: sizes and long paths


def test_sizes_beyond_32_bits(world: World, dav: Dav, drive) -> None:
    """F52: a file of 5 GiB is listed with its size, and a range from its end is the right one."""
    size = 5 * 2**30 + 7
    item = drive.put("/large.bin", b"x")
    small, item.blob = item.blob, Vast(size)
    world.forget()
    assert dav.propfind("large.bin", depth=0, check=207).one["getcontentlength"] == str(size)
    assert dav.head("large.bin", check=200).header("Content-Length") == str(size)
    answer = dav.get("large.bin", headers={"Range": f"bytes={size - 9}-"}, check=206)
    assert answer.header("Content-Range") == f"bytes {size - 9}-{size - 1}/{size}"
    assert len(answer.body) == 9
    item.blob = small  # the drive's figure of what is used knows that one only


def test_more_than_the_service_takes(world: World, dav: Dav, drive) -> None:
    """F52: 250 GiB and a byte is refused before a byte is read, and what is there stays."""
    with world.emulator.calls.counting() as calls:
        assert b" 413 " in expecting(dav, "a.bin", f"Content-Length: {250 * 2**30 + 1}")
    assert calls.upload == 0
    assert drive.tree() == BEFORE
    assert drive.open_sessions == 0


@pytest.mark.parametrize("session", [False, True], ids=["small", "session"])
def test_long_paths(world: World, dav: Dav, drive, session: bool) -> None:
    """F52: 400 characters are stored and found again; one more is refused as a name, and nothing is made on the way."""
    data = bytes(5_000_000) if session else NEW
    deep = "/".join(["p" * 79] * 4)
    for depth in range(1, 5):
        dav.mkcol("/".join(["p" * 79] * depth), check=201)
    longest = f"{deep}/{'n' * (400 - len(deep) - 1)}"
    assert len(longest) == 400
    dav.put(longest, data, check=201)
    assert dav.get(longest, check=200).body == data
    assert drive.read(f"/{longest}") == data
    before = drive.tree()
    assert dav.put(f"{longest}n", data).status == 403
    assert dav.mkcol(f"{longest}n").status == 403
    assert dav.move("a.bin", f"{longest}n").status == 403
    assert drive.tree() == before


def test_empty_files(world: World, dav: Dav, drive) -> None:
    """F52: sessions take no empty file; one is stored whole, in the place of another too, with its times or without."""
    for name, status in (("n.bin", 201), ("a.bin", 204)):
        dav.put(name, b"", headers={"X-OC-Mtime": "1700000000"}, check=status)
        assert dav.get(name, check=200).body == b""
        dav.put(name, iter([]), check=204)
    assert drive.tree() == {**BEFORE, "/n.bin": b"", "/a.bin": b""}
    assert drive.open_sessions == 0
