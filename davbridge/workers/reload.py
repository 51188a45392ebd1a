"""One reload with several workers: all of them switch, or none. Decisions only, as in `crew`.

First each worker puts the new bridge together and says whether it can; once all can, all are told to switch, which
cannot fail. A worker that ends before that decision ends the reload; one that ends after it comes back with the new
configuration, since whoever starts it has that from the decision on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from davbridge.config import Config
from davbridge.workers.crew import Failed

PREPARE_SECONDS, SWITCH_SECONDS = 90.0, 30.0


class Step(Enum):
    """What a worker says, and what it is told after `Prepare`."""

    PREPARED = "prepared"
    SWITCH = "switch"
    SWITCHED = "switched"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Prepare:
    """Put a bridge for `config` together, as the reload's `number`. `probes`: and look up what is new, for all."""

    number: int
    config: Config
    probes: bool


@dataclass(frozen=True)
class Order:
    """What to do with what was prepared."""

    number: int
    step: Step


@dataclass(frozen=True)
class Answer:
    """How far a worker has come; `failed`: why it cannot."""

    number: int
    step: Step = Step.PREPARED
    failed: Failed | None = None


class Phase(Enum):
    """Where a reload stands."""

    PREPARING = "preparing"
    SWITCHING = "switching"
    OVER = "over"


class Reload:
    """With the workers `members`, begun at `now`. `failure`, once it is over: why nobody has switched."""

    def __init__(self, number: int, members: Iterable[int], now: float) -> None:
        self.number = number
        self.members = set(members)
        self.phase = Phase.PREPARING
        self.failure: Failed | None = None
        self._awaited = set(self.members)
        self._until = now + PREPARE_SECONDS

    def answered(self, member: int, answer: Answer, now: float) -> None:
        """A worker says something; what belongs to another reload, or another phase, is no news."""
        if answer.number != self.number or member not in self.members:
            return
        if self.phase is Phase.PREPARING and answer.failed is not None:
            self._fail(answer.failed)
        elif self.phase is Phase.PREPARING and answer.step is Step.PREPARED:
            self._awaited.discard(member)
            if not self._awaited:
                self.phase, self._awaited, self._until = Phase.SWITCHING, set(self.members), now + SWITCH_SECONDS
        elif self.phase is Phase.SWITCHING and answer.step is Step.SWITCHED:
            self._switched(member)

    def ended(self, member: int) -> None:
        """A worker is gone."""
        if member not in self.members:
            return
        if self.phase is Phase.PREPARING:
            self._fail(Failed(f"worker {member} ended over it", configuration=False))
        elif self.phase is Phase.SWITCHING:
            self._switched(member)

    def stopped(self) -> None:
        """The whole bridge is about to end."""
        if self.phase is Phase.PREPARING:
            self._fail(Failed("the bridge is about to end", configuration=False))
        self.phase = Phase.OVER

    def silent(self, now: float) -> set[int]:
        """The workers to be ended, since they do not switch; before the decision, silence ends the reload instead."""
        if now < self._until or self.phase is Phase.OVER:
            return set()
        if self.phase is Phase.PREPARING:
            numbers = ", ".join(str(member) for member in sorted(self._awaited))
            self._fail(Failed(f"no answer from worker {numbers}", configuration=False))
            return set()
        return set(self._awaited)

    def patience(self, now: float) -> float:
        """Seconds until `silent` is to be asked."""
        return max(0.0, self._until - now)

    def _switched(self, member: int) -> None:
        self._awaited.discard(member)
        if not self._awaited:
            self.phase = Phase.OVER

    def _fail(self, failed: Failed) -> None:
        self.failure, self.phase = failed, Phase.OVER
