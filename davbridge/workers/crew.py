"""Which worker processes there should be: the supervisor's decisions, without a process, a clock or a signal.

The supervisor tells what happened and when; the crew says what is to be done. All workers are begun together, and none
listens before the last one is put together. Until all of them serve, any failure ends everything, since a person is
watching who can mend it; afterwards, workers that die are replaced for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from davbridge.errors import BridgeError, ConfigError


class Stage(Enum):
    """How far a worker has come."""

    VACANT = "vacant"
    BUILDING = "building"
    BUILT = "built"
    STARTING = "starting"
    SERVING = "serving"


@dataclass(frozen=True)
class Failed:
    """Why a worker could not start; whether the `configuration` is to blame."""

    message: str
    configuration: bool

    @property
    def error(self) -> BridgeError:
        """As the worker raised it."""
        return (ConfigError if self.configuration else BridgeError)(self.message)


@dataclass(frozen=True)
class Restarts:
    """The first death is mended at once; after each that follows within `settled` seconds of the start, the pause
    doubles, from `first` to `longest` seconds."""

    settled: float = 30.0
    first: float = 1.0
    longest: float = 30.0

    def pause(self, quick_deaths: int) -> float:
        """Seconds before the next start; `quick_deaths` counts the last one."""
        return 0.0 if quick_deaths < 2 else min(self.first * 2.0 ** (quick_deaths - 2), self.longest)


@dataclass
class _Seat:
    stage: Stage = Stage.VACANT
    due: float = 0.0
    since: float = 0.0
    quick_deaths: int = 0
    failed: Failed | None = None
    outdated: bool = False


class Crew:
    """`size` seats, numbered from 1. `failure` is why it ended before it served; `complete` is true once all served."""

    def __init__(self, size: int, grace: float, restarts: Restarts | None = None) -> None:
        self._seats = {number: _Seat() for number in range(1, size + 1)}
        self._grace = grace
        self._restarts = restarts or Restarts()
        self._end: float | None = None
        self.complete = False
        self.failure: BridgeError | None = None

    # -- what happened ------------------------------------------------------------------------------------------

    def started(self, number: int, now: float) -> None:
        """A process was started for the seat."""
        seat = self._seats[number]
        seat.stage, seat.since, seat.failed, seat.outdated = Stage.BUILDING, now, None, False

    def reached(self, number: int, stage: Stage) -> None:
        """The worker has come so far."""
        self._seats[number].stage = stage
        self.complete = self.complete or all(seat.stage is Stage.SERVING for seat in self._seats.values())

    def failed(self, number: int, failed: Failed) -> None:
        """The worker says why it is about to end."""
        self._seats[number].failed = failed

    def outdated(self, number: int) -> None:
        """The worker, which does not serve yet, was started with a configuration that holds no more: it is to end."""
        self._seats[number].outdated = True

    def ended(self, number: int, now: float, status: int) -> str:
        """The process is gone, with an exit status or a negative signal number. Returns what to tell, or empty."""
        seat = self._seats[number]
        seat.stage = Stage.VACANT
        if self.stopping:
            return ""
        if seat.outdated:
            seat.due = now
            return ""
        how = seat.failed.message if seat.failed else f"it ended with {_shown(status)}"
        if not self.complete:
            self.failure = seat.failed.error if seat.failed else BridgeError(f"worker {number} did not start: {how}")
            self.stop(now)
            return ""
        seat.quick_deaths = seat.quick_deaths + 1 if now - seat.since < self._restarts.settled else 1
        pause = self._restarts.pause(seat.quick_deaths)
        seat.due = now + pause
        return f"worker {number}: {how}; another one is started {f'in {pause:.0f} s' if pause else 'now'}"

    def stop(self, now: float) -> None:
        """Ask all to end: at the first time they have `grace` seconds, a second time ends that."""
        self._end = now + self._grace if self._end is None else now

    # -- what is to be done -------------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        return self._end is not None

    @property
    def gone(self) -> bool:
        """Whether it is all over."""
        return self.stopping and not self.present()

    def present(self) -> list[int]:
        """The seats that have a process."""
        return [number for number, seat in self._seats.items() if seat.stage is not Stage.VACANT]

    def listening(self) -> list[int]:
        """The workers that serve, or have been told to."""
        return [n for n, seat in self._seats.items() if seat.stage in (Stage.STARTING, Stage.SERVING)]

    def due(self, now: float) -> list[int]:
        """The seats that want a process."""
        if self.stopping:
            return []
        return [n for n, seat in self._seats.items() if seat.stage is Stage.VACANT and seat.due <= now]

    def held(self) -> list[int]:
        """The workers that may listen now: at the beginning all or none, later each as it comes."""
        built = [number for number, seat in self._seats.items() if seat.stage is Stage.BUILT]
        return [] if self.stopping or (not self.complete and len(built) < len(self._seats)) else built

    def overdue(self, now: float) -> bool:
        """Whether those who are still there are to be killed."""
        return self._end is not None and now >= self._end

    def patience(self, now: float) -> float | None:
        """Seconds until something is to be done although nothing happens; None: there is nothing."""
        if self._end is not None:
            return self._end - now if now < self._end else None
        due = [seat.due for seat in self._seats.values() if seat.stage is Stage.VACANT]
        return max(0.0, min(due) - now) if due else None


def _shown(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
