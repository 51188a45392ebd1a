"""The lock table: who excludes whom, expiry, and what goes with an item."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.clock import ManualClock
from davbridge.dav.locks import SCHEMA, Conflict, Lock, LockTable
from davbridge.errors import QuotaExceeded
from davbridge.paths import DavPath
from davbridge.store.database import Database


def path(text: str) -> DavPath:
    """`a/b`."""
    return DavPath.parse(text)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def table(tmp_path: Path, clock: ManualClock) -> LockTable:
    """An empty table."""
    return LockTable(Database.open(tmp_path / "state.sqlite", SCHEMA), clock)


def grant(table: LockTable, text: str, *, exclusive: bool = True, infinite: bool = False, seconds: int = 60) -> Lock:
    """A lock of alice's."""
    return table.grant("me", path(text), "alice", exclusive=exclusive, infinite=infinite, owner="", seconds=seconds)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a/b", "a/b/c", "A/B", "d"]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_no_two_locks_conflict(wanted: list[tuple[str, bool, bool]]) -> None:
    """Whatever is asked for: granted locks never exclude each other, and refused ones would have."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "s.sqlite", SCHEMA)
        table = LockTable(database, ManualClock())
        granted: list[Lock] = []
        for text, exclusive, infinite in wanted:
            clashes = [lock for lock in granted if (exclusive or lock.exclusive) and _touch(lock, path(text), infinite)]
            try:
                granted.append(grant(table, text, exclusive=exclusive, infinite=infinite))
            except Conflict as conflict:
                assert {lock.token for lock in conflict.locks} == {lock.token for lock in clashes}
                assert clashes
            else:
                assert not clashes
        database.close()


def _touch(lock: Lock, place: DavPath, infinite: bool) -> bool:
    if lock.path.folded == place.folded:
        return True
    return (lock.infinite and place.is_within(lock.path)) or (infinite and lock.path.is_within(place))


def test_covering_and_below(table: LockTable) -> None:
    """A folder's infinite lock covers what is in it; one of depth 0 does not."""
    outer, inner = grant(table, "a", infinite=True), grant(table, "d/e")
    assert [lock.token for lock in table.covering("me", path("A/x/y"))] == [outer.token]
    assert table.covering("me", path("d/e/f")) == []
    assert [lock.token for lock in table.below("me", path("D"))] == [inner.token]
    assert table.below("me", path("d/e")) == []
    assert table.covering("team", path("a")) == []


def test_expiry(table: LockTable, clock: ManualClock) -> None:
    """A lock ends by itself, unless it is refreshed."""
    lock = grant(table, "a", seconds=60)
    clock.advance(50)
    assert table.refresh(lock.token, 60) is not None
    clock.advance(50)
    assert table.covering("me", path("a"))
    clock.advance(11)
    assert table.covering("me", path("a")) == []
    assert table.refresh(lock.token, 60) is None
    grant(table, "a")


def test_forget(table: LockTable) -> None:
    """Locks go with an item and all below it; a neighbour of a similar name keeps its own."""
    for text in ("a", "a/b", "a.txt", "ab"):
        grant(table, text)
    table.forget("me", path("a"))
    assert not table.covering("me", path("a/b"))
    assert table.covering("me", path("a.txt"))
    assert table.covering("me", path("ab"))


def test_they_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    """Another table over the same file knows them."""
    lock = grant(LockTable(Database.open(tmp_path / "s.sqlite", SCHEMA), clock), "a")
    again = LockTable(Database.open(tmp_path / "s.sqlite", SCHEMA), clock)
    assert again.covering("me", path("a")) == [lock]


def test_one_winner(tmp_path: Path, clock: ManualClock) -> None:
    """Of many that ask at once, with connections of their own as processes have, exactly one gets the lock."""
    won: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        database = Database.open(tmp_path / "s.sqlite", SCHEMA)
        table = LockTable(database, clock)
        start.wait()
        try:
            won.append(grant(table, "a").token)
        except Conflict:
            pass
        finally:
            database.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_number_of_locks(table: LockTable, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has so many locks and no more, until some have ended."""
    monkeypatch.setattr("davbridge.dav.locks.MOST_LOCKS", 3)
    for name in "abc":
        grant(table, name, seconds=60)
    with pytest.raises(QuotaExceeded):
        grant(table, "d")
    clock.sleep(61)
    grant(table, "d")
