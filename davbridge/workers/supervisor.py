"""The supervisor: it holds the addresses, starts the workers, replaces the dead, and passes the end on.

It does what `crew` and `changeover` decide, and nothing else: no connection, no database and no thread of its own, so
that there is little that can go wrong in the process that everything hangs on.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from davbridge import service
from davbridge.app import state_folder
from davbridge.config import Config
from davbridge.edge import Reservation, reserve
from davbridge.reloads import Reloads
from davbridge.service import DRAIN_SECONDS, Ready
from davbridge.workers.changeover import Changeover
from davbridge.workers.crew import Crew, Failed, Stage
from davbridge.workers.reload import Answer
from davbridge.workers.worker import LATE_SECONDS, Orders, work

log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS_AND_RELOAD = (*_SIGNALS, signal.SIGHUP)
# spawned, not forked: threads (the demo's emulator, logging) and SQLite connections do not survive a fork
_CONTEXT = multiprocessing.get_context("spawn")


def run(config: Config, *, ready: Ready | None = None, source: Path | None = None) -> None:
    """Serve with `server.workers` processes until SIGTERM or SIGINT. `ready` is called when all of them serve.

    With `source`, the file of the configuration, SIGHUP has it read anew.

    Raises:
        ConfigError: it cannot start: an address in use, a wrong secret, an unknown site.
        BridgeError: a worker could not start for another reason.
    """
    if config.server.workers == 1:
        service.run(config, ready=ready, source=source)
        return
    folder = state_folder(config)
    reservation = reserve(config.server.addresses)
    try:
        Supervisor(config, reservation, ready, source, folder).run()
    finally:
        reservation.close()


@dataclass
class _Member:
    process: SpawnProcess
    channel: Connection
    generation: int
    listened: bool = True
    dismissed: bool = False


class Supervisor:
    """The processes of a crew. `run` is all there is to do with it."""

    def __init__(
        self, config: Config, reservation: Reservation, ready: Ready | None, source: Path | None, folder: Path
    ) -> None:
        self._reservation = reservation
        self._ready = ready
        self._source = source
        self._folder = folder
        self._crew = Crew(config.server.workers, DRAIN_SECONDS + LATE_SECONDS)
        self._changeover = Changeover(config, self._tell, self._kill)
        self._members: dict[int, _Member] = {}
        self._announced = False
        self._told = contextlib.ExitStack()

    def run(self) -> None:
        """See the module's `run`."""
        service.warn(self._changeover.config)
        # when started on demand it would let SIGINT through just when we start a worker
        resource_tracker.ensure_running()
        with _signalled(_SIGNALS if self._source is None else _SIGNALS_AND_RELOAD) as signals, self._told:
            try:
                while not self._crew.gone:
                    self._act()
                    self._wait(signals)
            finally:
                for member in self._members.values():
                    member.process.kill()
        if self._crew.failure:
            raise self._crew.failure

    def _act(self) -> None:
        crew, now = self._crew, time.monotonic()
        for number in crew.due(now):
            self._start(number)
            crew.started(number, now)
        # who is ready during a reload waits for its end: then it may have the wrong configuration
        for number in () if self._changeover.is_busy else crew.held():
            self._let_listen(number)
        if crew.complete and not (self._announced or crew.stopping):
            self._announced = True
            if self._source is not None:
                self._changeover.open(self._told.enter_context(Reloads.told(self._folder, self._source)))
            service.announce(self._reservation.addresses, self._ready)
        self._changeover.begin(crew.listening)
        if crew.stopping:
            for member in self._members.values():
                if not member.dismissed:
                    member.dismissed = True
                    member.process.terminate()
                if crew.overdue(now):
                    member.process.kill()

    def _let_listen(self, number: int) -> None:
        member = self._members[number]
        if member.generation != self._changeover.generation:
            self._crew.outdated(number)
            self._crew.reached(number, Stage.BUILDING)
            member.process.kill()
            return
        self._crew.reached(number, Stage.STARTING)
        self._tell(number, Stage.STARTING)

    def _tell(self, number: int, said: object) -> None:
        with contextlib.suppress(OSError, KeyError):  # it has just ended
            self._members[number].channel.send(said)

    def _kill(self, number: int) -> None:
        with contextlib.suppress(KeyError):
            self._members[number].process.kill()

    def _start(self, number: int) -> None:
        ours, theirs = _CONTEXT.Pipe()
        probes = number == 1 and not self._crew.complete
        orders = Orders(number, self._changeover.config, self._reservation.places, logging.getLogger().level, probes)
        process = _CONTEXT.Process(target=work, args=(orders, theirs), name=f"worker {number}", daemon=True)
        # until the worker is ready to ignore them: see there
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGHUP])
        theirs.close()
        self._members[number] = _Member(process, ours, self._changeover.generation)

    def _wait(self, signals: int) -> None:
        """Until something happens, or it is time to act; and take in what has happened."""
        members = list(self._members.items())
        channels = [member.channel for _, member in members if member.listened]
        sentinels = [member.process.sentinel for _, member in members]
        happened = connection.wait([signals, *channels, *sentinels], self._patience())
        # first, so that a worker which got the signal, too, is not replaced
        if signals in happened:
            got = os.read(signals, 100)
            self._changeover.wanted = self._changeover.wanted or signal.SIGHUP in got
            for _ in filter(_SIGNALS.__contains__, got):
                self._stop()
        for number, member in members:
            if member.process.sentinel in happened:
                self._bury(number, member)
            elif member.channel in happened:
                self._hear(number, member)
        self._changeover.hurry()

    def _patience(self) -> float | None:
        both = (self._crew.patience(time.monotonic()), self._changeover.patience())
        return min((one for one in both if one is not None), default=None)

    def _stop(self) -> None:
        if not self._crew.stopping:
            self._changeover.stop()
            service.announce_end()
            # with the workers' own, the last: from now on who comes is refused, and does not wait for nobody
            self._reservation.close()
        self._crew.stop(time.monotonic())

    def _hear(self, number: int, member: _Member) -> None:
        try:
            said = member.channel.recv()
        except (EOFError, OSError):
            member.listened = False
            return
        if isinstance(said, Answer):
            self._changeover.heard(number, said)
        elif isinstance(said, Failed):
            self._crew.failed(number, said)
        else:
            self._crew.reached(number, said)

    def _bury(self, number: int, member: _Member) -> None:
        while member.listened and member.channel.poll():
            self._hear(number, member)  # its last words
        member.process.join()
        status = member.process.exitcode or 0
        member.process.close()
        member.channel.close()
        del self._members[number]
        self._changeover.gone(number)
        if news := self._crew.ended(number, time.monotonic(), status):
            log.error("%s", news)


@contextlib.contextmanager
def _signalled(wanted: Sequence[signal.Signals]) -> Iterator[int]:
    """A file descriptor from which the numbers of these signals can be read."""
    reader, writer = os.pipe()
    try:
        if threading.current_thread() is not threading.main_thread():
            yield reader
            return
        os.set_blocking(writer, False)
        # written by Python itself, also when another thread than ours gets the signal
        before = signal.set_wakeup_fd(writer)
        handlers: dict[signal.Signals, Callable[..., object] | int | None] = {
            one: signal.signal(one, _ignore) for one in wanted
        }
        try:
            yield reader
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)
            signal.set_wakeup_fd(before)
    finally:
        os.close(reader)
        os.close(writer)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The number has been written already."""
