"""The supervisor's decisions: told what happens and when, without a process and without waiting."""

from __future__ import annotations

import pytest

from davbridge.errors import BridgeError, ConfigError
from davbridge.workers.crew import Crew, Failed, Restarts, Stage

GRACE = 35.0


def serving_crew(size: int = 2, now: float = 0.0) -> Crew:
    """A crew that has begun to serve at `now`."""
    crew = Crew(size, GRACE)
    for number in crew.due(now):
        crew.started(number, now)
        crew.reached(number, Stage.BUILT)
    for number in crew.held():
        crew.reached(number, Stage.SERVING)
    assert crew.complete
    return crew


def test_all_are_started_at_once() -> None:
    """Every seat is due at the beginning, and none twice."""
    crew = Crew(3, GRACE)
    assert crew.due(0) == [1, 2, 3]
    for number in (1, 2, 3):
        crew.started(number, 0)
    assert crew.due(100) == []
    assert crew.patience(0) is None


def test_nobody_listens_before_all_are_built() -> None:
    """The last one may find the configuration wrong."""
    crew = Crew(2, GRACE)
    for number in (1, 2):
        crew.started(number, 0)
    crew.reached(2, Stage.BUILT)
    assert crew.held() == []
    crew.reached(1, Stage.BUILT)
    assert crew.held() == [1, 2]
    for number in (1, 2):
        assert not crew.complete
        crew.reached(number, Stage.STARTING)
        crew.reached(number, Stage.SERVING)
    assert crew.complete


@pytest.mark.parametrize(
    ("failed", "error", "message"),
    [
        (Failed("the client secret is wrong", configuration=True), ConfigError, "the client secret is wrong"),
        (Failed("the state file is busy", configuration=False), BridgeError, "the state file is busy"),
        (None, BridgeError, "worker 1 did not start: it ended with signal 9"),
    ],
)
def test_a_failure_at_the_start_ends_everything(failed: Failed | None, error: type[BridgeError], message: str) -> None:
    """With the first worker's message; what the others say then is no news."""
    crew = Crew(2, GRACE)
    for number in (1, 2):
        crew.started(number, 0)
    if failed:
        crew.failed(1, failed)
    assert crew.ended(1, 1, -9) == ""
    crew.failed(2, Failed("another thing", configuration=True))
    assert crew.ended(2, 1, 0) == ""
    assert crew.gone
    assert type(crew.failure) is error
    assert str(crew.failure) == message


def test_the_dead_are_replaced_at_once() -> None:
    """And the replacement listens without waiting for anybody."""
    crew = serving_crew()
    assert crew.ended(2, 10, -9) == "worker 2: it ended with signal 9; another one is started now"
    assert crew.due(10) == [2]
    crew.started(2, 10)
    assert crew.held() == []
    crew.reached(2, Stage.BUILT)
    assert crew.held() == [2]


def test_who_dies_again_and_again_waits_longer() -> None:
    """0, 1, 2, 4 … 30 seconds; a worker that has lived long begins anew."""
    crew, now, pauses = serving_crew(), 0.0, []
    for _ in range(8):
        crew.ended(1, now, 1)
        wait = crew.patience(now)
        assert wait is not None
        assert wait == 0 or crew.due(now) == []
        pauses.append(wait)
        now += wait
        assert crew.due(now) == [1]
        crew.started(1, now)
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
    now += Restarts().settled
    crew.ended(1, now, 1)
    assert crew.due(now) == [1]


def test_a_configuration_that_went_wrong_later_ends_nothing() -> None:
    """A certificate that cannot be read any more: the other workers go on, and the log says why one is missing."""
    crew = serving_crew()
    crew.ended(1, 100, 1)
    crew.started(1, 100)
    crew.failed(1, Failed("server.tls: cert.pem cannot be used", configuration=True))
    news = crew.ended(1, 101, 0)
    assert news == "worker 1: server.tls: cert.pem cannot be used; another one is started in 1 s"
    assert crew.failure is None
    assert not crew.stopping


def test_the_end() -> None:
    """Nobody is started any more, and those who are still there after the grace are killed."""
    crew = serving_crew()
    crew.stop(100)
    assert crew.ended(1, 101, 0) == ""
    assert crew.due(101) == []
    assert (crew.gone, crew.overdue(101), crew.patience(101)) == (False, False, GRACE - 1)
    assert crew.overdue(100 + GRACE)
    assert crew.patience(100 + GRACE) is None, "they are killed already: there is nothing more to be done"
    crew.ended(2, 140, -9)
    assert crew.gone
    assert crew.failure is None


def test_a_second_wish_does_not_wait() -> None:
    """Then they are killed at once."""
    crew = serving_crew()
    crew.stop(100)
    crew.stop(102)
    assert crew.overdue(102)


def test_the_end_before_all_serve() -> None:
    """Is no failure."""
    crew = Crew(2, GRACE)
    crew.started(1, 0)
    crew.started(2, 0)
    crew.stop(0.5)
    crew.ended(1, 0.6, -15)
    crew.ended(2, 0.6, -15)
    assert crew.gone
    assert crew.failure is None
