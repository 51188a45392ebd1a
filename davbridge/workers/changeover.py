"""The supervisor's part in a reload: it does what `reload` decides, by way of the workers' channels."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from davbridge.config import Config
from davbridge.config.changes import Changes
from davbridge.reloads import Reloads
from davbridge.workers.reload import Answer, Order, Phase, Prepare, Reload, Step

log = logging.getLogger(__name__)


class Changeover:
    """`config` is the one that holds, the `generation`th. `tell` says something to a worker, `kill` ends one."""

    def __init__(self, config: Config, tell: Callable[[int, object], None], kill: Callable[[int], None]) -> None:
        self.config = config
        self.generation = 0
        self.wanted = False
        self._tell = tell
        self._kill = kill
        self._reloads: Reloads | None = None
        self._under_way: tuple[Reload, Changes] | None = None

    def open(self, reloads: Reloads) -> None:
        """All serve: from now on it may begin when it is `wanted`."""
        self._reloads = reloads

    @property
    def is_busy(self) -> bool:
        """Whether a reload is under way."""
        return self._under_way is not None

    def begin(self, workers: Callable[[], Sequence[int]]) -> None:
        """Begin if it is wanted and time for it, with the `workers` there are."""
        if not self.wanted or self.is_busy or self._reloads is None:
            return
        numbers = workers()
        if not numbers and not self._reloads.stopping:
            return  # all have died; the first that is back can say whether the file is good
        self.wanted = False
        changes = self._reloads.begin(self.config)
        if changes is None:
            return
        reload = Reload(self.generation + 1, numbers, time.monotonic())
        self._under_way = (reload, changes)
        for number in numbers:
            self._tell(number, Prepare(reload.number, changes.config, probes=number == numbers[0]))

    def heard(self, number: int, answer: Answer) -> None:
        """A worker has said something."""
        self._on(lambda reload: reload.answered(number, answer, time.monotonic()))

    def gone(self, number: int) -> None:
        """A worker has ended."""
        self._on(lambda reload: reload.ended(number))

    def stop(self) -> None:
        """The bridge is about to end."""
        if self._reloads is not None:
            self._reloads.stopping = True
        self._on(lambda reload: reload.stopped())

    def hurry(self) -> None:
        """Wait for nobody for ever."""
        silent: set[int] = set()
        self._on(lambda reload: silent.update(reload.silent(time.monotonic())))
        for number in silent:
            log.error("worker %d does not switch to the new configuration", number)
            self._kill(number)

    def patience(self) -> float | None:
        """Seconds until `hurry` is to be called although nothing happens; None: there is nothing."""
        return None if self._under_way is None else self._under_way[0].patience(time.monotonic())

    def _on(self, happen: Callable[[Reload], None]) -> None:
        """Let something happen to the reload under way, and do what follows from it."""
        if self._under_way is None or self._reloads is None:
            return
        reload, changes = self._under_way
        before = reload.phase
        happen(reload)
        if reload.phase is Phase.SWITCHING and before is Phase.PREPARING:
            # whoever is started from now on has it
            self.config, self.generation = changes.config, reload.number
            self._tell_all(reload, Step.SWITCH)
        elif reload.phase is Phase.OVER:
            self._under_way = None
            if reload.failure is None:
                self._reloads.done(changes)
                return
            self._tell_all(reload, Step.ABANDON)
            self._reloads.failed(reload.failure.error)

    def _tell_all(self, reload: Reload, step: Step) -> None:
        for number in reload.members:
            self._tell(number, Order(reload.number, step))
