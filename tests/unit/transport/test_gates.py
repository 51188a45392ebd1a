"""The gates: the same rules in memory and in the state file, and what holds between processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from davbridge import deadline
from davbridge.clock import ManualClock, SystemClock
from davbridge.errors import Busy
from davbridge.store.database import Database
from davbridge.transport import Gates, HostRules, MemoryGates, Outgoing, Reply, StoredGates, Transport, storedgates
from davbridge.transport.pace import Budget

HOST = "graph.example:443"


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A state file with the table of pauses."""
    database = Database.open(tmp_path / "state.sqlite", storedgates.SCHEMA)
    yield database
    database.close()


@pytest.fixture(params=["memory", "stored"])
def gates(request: pytest.FixtureRequest, database: Database, clock: ManualClock) -> Gates:
    """Each kind in turn."""
    return MemoryGates(clock) if request.param == "memory" else StoredGates(database, "contoso", clock)


def test_it_opens_by_itself(gates: Gates, clock: ManualClock) -> None:
    """A pause is over when its time is."""
    assert gates.remaining(HOST) == 0
    gates.close_for(HOST, 10)
    clock.advance(4)
    assert gates.remaining(HOST) == pytest.approx(6)
    clock.advance(7)
    assert gates.remaining(HOST) == 0


def test_the_longer_pause_stays(gates: Gates) -> None:
    """A shorter one changes nothing, a longer one does."""
    for seconds, left in ((60, 60), (5, 60), (90, 90)):
        gates.close_for(HOST, seconds)
        assert gates.remaining(HOST) == pytest.approx(left)


def test_a_pace_is_kept(gates: Gates, clock: ManualClock) -> None:
    """One goes through, the next one at its time; who only looks takes nobody's turn."""
    gates.slow_down(HOST, Budget(1000, 250, 30))
    assert [gates.remaining(HOST), gates.remaining(HOST), gates.enter(HOST)] == [0, 0, 0]
    assert gates.enter(HOST) == pytest.approx(0.3)
    assert gates.remaining(HOST) == pytest.approx(0.3)
    clock.advance(0.31)
    assert gates.enter(HOST) == 0
    assert gates.enter(HOST) == pytest.approx(0.3)


def test_a_pace_is_over_when_nothing_is_announced(gates: Gates, clock: ManualClock) -> None:
    """Not before the reset: such an answer may be older than the announcement."""
    gates.slow_down(HOST, Budget(1000, 10, 30))
    clock.advance(29)
    gates.speed_up(HOST)
    assert gates.remaining(HOST) == pytest.approx(1)
    clock.advance(2)
    assert gates.enter(HOST) == 0
    assert gates.remaining(HOST) > 0
    gates.speed_up(HOST)
    assert gates.remaining(HOST) == 0


def test_a_pause_is_longer_than_a_pace(gates: Gates, clock: ManualClock) -> None:
    """Both hold, and who may not go through is not counted."""
    gates.slow_down(HOST, Budget(1000, 250, 30))
    gates.close_for(HOST, 5)
    assert gates.enter(HOST) == pytest.approx(5)
    clock.advance(5.01)
    assert gates.enter(HOST) == 0


def test_without_a_pace_all_go_through(gates: Gates, clock: ManualClock) -> None:
    """Before one is set, and after it has ended."""
    assert [gates.enter(HOST) for _ in range(3)] == [0, 0, 0]
    gates.slow_down(HOST, Budget(1000, 250, 30))
    clock.advance(41)
    assert [gates.enter(HOST) for _ in range(3)] == [0, 0, 0]


def test_each_host_has_its_own(gates: Gates) -> None:
    """Graph's pause says nothing of the storage that downloads come from."""
    gates.close_for(HOST, 10)
    assert gates.remaining("storage.example:443") == 0


def test_all_can_be_opened(gates: Gates) -> None:
    """Afterwards nothing waits."""
    gates.close_for(HOST, 10)
    gates.slow_down(HOST, Budget(1000, 0, 30))
    gates.open_all()
    assert gates.remaining(HOST) == 0


def other(database: Database, clock: ManualClock, account: str = "contoso") -> StoredGates:
    """The gates as another process has them."""
    return StoredGates(database, account, clock)


def test_what_one_process_learns_holds_for_another(database: Database, clock: ManualClock) -> None:
    """Also when their monotonic clocks began at different times."""
    StoredGates(database, "contoso", clock).close_for(HOST, 30)
    later = ManualClock(clock.now() + timedelta(seconds=10))
    assert other(database, later).remaining(HOST) == pytest.approx(20)


def test_processes_share_a_pace(database: Database, clock: ManualClock) -> None:
    """What one of them sends makes the others wait, and a clock that was put back ends it."""
    one, two = other(database, clock), other(database, clock)
    one.slow_down(HOST, Budget(1000, 250, 30))
    assert one.enter(HOST) == 0
    assert two.enter(HOST) == pytest.approx(0.3)
    assert other(database, clock, "fabrikam").enter(HOST) == 0
    assert other(database, ManualClock(clock.now() - timedelta(hours=1))).enter(HOST) == 0


def test_nobody_goes_beside_another(database: Database) -> None:
    """Many ask at the same time, and each keeps the distance from the one before."""
    system, went, lock = SystemClock(), list[float](), threading.Lock()
    StoredGates(database, "contoso", system).slow_down(HOST, Budget(100_000, 30_000, 250))  # 20 ms

    def go() -> None:
        gates = StoredGates(database, "contoso", system)
        for _ in range(5):
            while (seconds := gates.enter(HOST)) > 0:
                system.sleep(seconds)
            with lock:
                went.append(system.monotonic())
        database.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(went) == 20
    assert max(went) - min(went) > 0.9 * 19 * 0.02


def test_accounts_are_counted_apart(database: Database, clock: ManualClock) -> None:
    """A pause of one account does not stop another."""
    StoredGates(database, "contoso", clock).close_for(HOST, 30)
    assert other(database, clock, "fabrikam").remaining(HOST) == 0


@pytest.mark.parametrize("seconds", [5, 50])
def test_a_clock_that_was_put_back(database: Database, clock: ManualClock, seconds: float) -> None:
    """A pause from the future is over, and does not lengthen the next one."""
    StoredGates(database, "contoso", clock).close_for(HOST, 30)
    back = ManualClock(clock.now() - timedelta(hours=1))
    assert other(database, back).remaining(HOST) == 0
    other(database, back).close_for(HOST, seconds)
    assert other(database, back).remaining(HOST) == pytest.approx(seconds)


class BusyDatabase:
    """A state file whose disk is full."""

    def read(self, sql: str, parameters: object = ()) -> list[object]:
        return []

    def transaction(self) -> object:
        raise Busy("the bridge's state file is busy", 1.0)


def test_a_state_file_that_takes_no_writes(clock: ManualClock) -> None:
    """The request that was throttled is not made to fail by it."""
    gates = StoredGates(BusyDatabase(), "contoso", clock)  # type: ignore[arg-type]
    gates.close_for(HOST, 5)
    gates.slow_down(HOST, Budget(1000, 250, 30))


def test_a_pace_that_cannot_be_written(database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes, rather than failing for a full disk."""
    gates = other(database, clock)
    gates.slow_down(HOST, Budget(1000, 250, 30))
    monkeypatch.setattr(database, "transaction", BusyDatabase().transaction)
    assert gates.enter(HOST) == 0


class Wire:
    """A wire that throttles once, and counts."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, *_: object) -> Reply:
        self.sent += 1
        return Reply(429, {"retry-after": "120"}) if self.sent == 1 else Reply(200, {}, b"{}")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("shared", [True, False])
def test_transports_share_their_gates(database: Database, clock: ManualClock, shared: bool) -> None:
    """A second process sends nothing while the first one's pause lasts, and one with gates of its own does."""
    wire = Wire()
    make: Callable[[], Gates] = (lambda: other(database, clock)) if shared else (lambda: MemoryGates(clock))
    one, two = (
        Transport(clock, hosts=HostRules("https://graph.example"), gates=make(), wire=wire)  # type: ignore[arg-type]
        for _ in range(2)
    )
    request = Outgoing("GET", "https://graph.example/me", safe=True)
    with deadline.within(clock, 25), pytest.raises(Busy):
        one.send(request)
    with deadline.within(clock, 25):
        if not shared:
            assert two.send(request).status == 200
            return
        with pytest.raises(Busy) as busy:
            two.send(request)
    assert busy.value.retry_after == pytest.approx(120)
    assert wire.sent == 1
