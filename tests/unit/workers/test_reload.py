"""A reload's decisions: told what workers say and when, without a process."""

from __future__ import annotations

import pytest

from davbridge.workers.crew import Crew, Failed, Stage
from davbridge.workers.reload import PREPARE_SECONDS, SWITCH_SECONDS, Answer, Phase, Reload, Step


def prepared(*members: int) -> Reload:
    """A reload of workers 1 and 2 in which these have prepared."""
    reload = Reload(7, [1, 2], 0)
    for member in members:
        reload.answered(member, Answer(7), 1)
    return reload


def test_nobody_switches_before_the_last_has_prepared() -> None:
    """And it is over when the last has switched."""
    reload = prepared(1)
    assert reload.phase is Phase.PREPARING
    reload.answered(2, Answer(7), 1)
    assert reload.phase is Phase.SWITCHING
    for member in (2, 1):
        assert reload.phase is Phase.SWITCHING
        reload.answered(member, Answer(7, Step.SWITCHED), 2)
    assert reload.phase is Phase.OVER
    assert reload.failure is None


def test_one_that_cannot_is_enough() -> None:
    """The reason is that worker's; what others say then is no news."""
    reload = prepared(1)
    reload.answered(2, Answer(7, failed=Failed("policy me: no", configuration=True)), 1)
    assert reload.phase is Phase.OVER
    assert reload.failure == Failed("policy me: no", configuration=True)
    reload.answered(2, Answer(7), 2)
    assert reload.phase is Phase.OVER


def test_a_worker_that_ends() -> None:
    """Before the decision it ends the reload; afterwards its successor has the new configuration anyway."""
    reload = prepared(1)
    reload.ended(3)
    assert reload.phase is Phase.PREPARING
    reload.ended(2)
    assert reload.failure == Failed("worker 2 ended over it", configuration=False)
    reload = prepared(1, 2)
    reload.ended(1)
    reload.answered(2, Answer(7, Step.SWITCHED), 2)
    assert (reload.phase, reload.failure) == (Phase.OVER, None)


def test_answers_to_another_reload() -> None:
    """A late one is not taken for this one's, nor is one of a worker that was not asked."""
    reload = prepared(1)
    reload.answered(2, Answer(6), 1)
    reload.answered(3, Answer(7), 1)
    reload.answered(2, Answer(7, Step.SWITCHED), 1)
    assert reload.phase is Phase.PREPARING


def test_silence() -> None:
    """Nobody is waited for for ever: before the decision all stay, afterwards the silent one is ended."""
    reload = prepared(1)
    assert reload.patience(10) == PREPARE_SECONDS - 10
    assert reload.silent(PREPARE_SECONDS - 1) == set()
    assert reload.silent(PREPARE_SECONDS) == set()
    assert reload.failure == Failed("no answer from worker 2", configuration=False)
    reload = prepared(1, 2)
    reload.answered(1, Answer(7, Step.SWITCHED), 2)
    assert reload.silent(1 + SWITCH_SECONDS) == {2}
    assert reload.phase is Phase.SWITCHING


@pytest.mark.parametrize(("members", "fails"), [((1,), True), ((1, 2), False)])
def test_the_bridge_ends(members: tuple[int, ...], fails: bool) -> None:
    """What is not decided is refused; what is, is done."""
    reload = prepared(*members)
    reload.stopped()
    assert reload.phase is Phase.OVER
    assert (reload.failure is not None) == fails


def test_a_worker_of_the_former_configuration_is_replaced_at_once() -> None:
    """Without a word, and without the pause that is for those who die again and again."""
    crew = Crew(1, 35.0)
    crew.due(0)
    crew.started(1, 0)
    crew.reached(1, Stage.SERVING)
    assert crew.listening() == [1]
    for _ in range(3):
        crew.ended(1, 1, -9)
    crew.started(1, 100)
    crew.reached(1, Stage.BUILT)
    assert crew.listening() == []
    crew.outdated(1)
    assert crew.ended(1, 101, -9) == ""
    assert crew.due(101) == [1]
