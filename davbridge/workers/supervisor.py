"""The supervisor: it holds the addresses, starts the workers, replaces the dead, and passes the end on.

It does what `crew` decides, and nothing else: no connection, no database and no thread of its own, so that there is
little that can go wrong in the process that everything hangs on.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType

from davbridge import service
from davbridge.app import state_folder
from davbridge.config import Config
from davbridge.edge import Reservation, reserve
from davbridge.service import DRAIN_SECONDS, Ready
from davbridge.workers.crew import Crew, Failed, Stage
from davbridge.workers.worker import LATE_SECONDS, Orders, work

log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# spawned, not forked: threads (the demo's emulator, logging) and SQLite connections do not survive a fork
_CONTEXT = multiprocessing.get_context("spawn")


def run(config: Config, *, ready: Ready | None = None) -> None:
    """Serve with `server.workers` processes until SIGTERM or SIGINT. `ready` is called when all of them serve.

    Raises:
        ConfigError: it cannot start: an address in use, a wrong secret, an unknown site.
        BridgeError: a worker could not start for another reason.
    """
    if config.server.workers == 1:
        service.run(config, ready=ready)
        return
    state_folder(config)
    reservation = reserve(config.server.addresses)
    try:
        Supervisor(config, reservation, ready).run()
    finally:
        reservation.close()


@dataclass
class _Member:
    process: SpawnProcess
    channel: Connection
    listened: bool = True
    dismissed: bool = False


class Supervisor:
    """The processes of a crew. `run` is all there is to do with it."""

    def __init__(self, config: Config, reservation: Reservation, ready: Ready | None) -> None:
        self._config = config
        self._reservation = reservation
        self._ready = ready
        self._crew = Crew(config.server.workers, DRAIN_SECONDS + LATE_SECONDS)
        self._members: dict[int, _Member] = {}
        self._announced = False

    def run(self) -> None:
        """See the module's `run`."""
        service.warn(self._config)
        # when started on demand it would let SIGINT through just when we start a worker
        resource_tracker.ensure_running()
        with _signalled() as signals:
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
        for number in crew.held():
            crew.reached(number, Stage.STARTING)
            with contextlib.suppress(OSError):
                self._members[number].channel.send(Stage.STARTING)
        if crew.complete and not (self._announced or crew.stopping):
            self._announced = True
            service.announce(self._reservation.addresses, self._ready)
        if crew.stopping:
            for member in self._members.values():
                if not member.dismissed:
                    member.dismissed = True
                    member.process.terminate()
                if crew.overdue(now):
                    member.process.kill()

    def _start(self, number: int) -> None:
        ours, theirs = _CONTEXT.Pipe()
        probes = number == 1 and not self._crew.complete
        orders = Orders(number, self._config, self._reservation.places, logging.getLogger().level, probes)
        process = _CONTEXT.Process(target=work, args=(orders, theirs), name=f"worker {number}", daemon=True)
        # until the worker is ready to ignore it: see there
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        theirs.close()
        self._members[number] = _Member(process, ours)

    def _wait(self, signals: int) -> None:
        """Until something happens, or it is time to act; and take in what has happened."""
        members = list(self._members.items())
        channels = [member.channel for _, member in members if member.listened]
        sentinels = [member.process.sentinel for _, member in members]
        happened = connection.wait([signals, *channels, *sentinels], self._crew.patience(time.monotonic()))
        # first, so that a worker which got the signal, too, is not replaced
        if signals in happened:
            for _ in filter(_SIGNALS.__contains__, os.read(signals, 100)):
                self._stop()
        for number, member in members:
            if member.process.sentinel in happened:
                self._bury(number, member)
            elif member.channel in happened:
                self._hear(number, member)

    def _stop(self) -> None:
        if not self._crew.stopping:
            service.announce_end()
        self._crew.stop(time.monotonic())

    def _hear(self, number: int, member: _Member) -> None:
        try:
            said = member.channel.recv()
        except (EOFError, OSError):
            member.listened = False
            return
        if isinstance(said, Failed):
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
        if news := self._crew.ended(number, time.monotonic(), status):
            log.error("%s", news)


@contextlib.contextmanager
def _signalled() -> Iterator[int]:
    """A file descriptor from which the numbers of the signals can be read that ask us to end."""
    reader, writer = os.pipe()
    try:
        if threading.current_thread() is not threading.main_thread():
            yield reader
            return
        os.set_blocking(writer, False)
        # written by Python itself, also when another thread than ours gets the signal
        before = signal.set_wakeup_fd(writer)
        handlers: dict[signal.Signals, Callable[..., object] | int | None] = {
            one: signal.signal(one, _ignore) for one in _SIGNALS
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
