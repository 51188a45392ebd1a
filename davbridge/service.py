"""One process that serves: start, say that it is ready, reload on SIGHUP, drain on SIGTERM, stop.

`workers` has what several need.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from davbridge.app import build
from davbridge.claim import Claim
from davbridge.clock import SystemClock
from davbridge.config import Config
from davbridge.config.exposed import exposed
from davbridge.errors import BridgeError
from davbridge.reloads import Reloads, notify
from davbridge.running import Running, probe

log = logging.getLogger("davbridge")
DRAIN_SECONDS = 30.0
Ready = Callable[[Sequence[str]], None]
_SETTLE_SECONDS = 5.0
_M_ARENA_MAX = -8


def run(config: Config, *, ready: Ready | None = None, source: Path | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT. `ready` is called with the addresses when it serves.

    With `source`, the file of the configuration, SIGHUP has it read anew.

    Raises:
        ConfigError: it cannot start: an address in use, a wrong secret, an unknown site.
    """
    limit_arenas()
    stop = threading.Event()
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
    if source is not None:
        call_on(lambda: wanted.put(True), signal.SIGHUP)
    running = Running(build(config, SystemClock()))
    try:
        warn(config)
        probe(running.bridge, list(running.bridge.drivers))
        running.bridge.server.start()
        call_on(stop.set, signal.SIGTERM, signal.SIGINT)
        with background(running, stop), contextlib.ExitStack() as told:
            reloads = None
            if source is not None:
                reloads = told.enter_context(Reloads.told(running.bridge.ground.folder, source))
                # beside us, so that a signal to end is not kept waiting
                threading.Thread(target=_reload, args=(running, wanted, reloads), name="reloading", daemon=True).start()
            announce(running.bridge.server.addresses, ready)
            stop.wait()
            running.stay()
            if reloads is not None:
                reloads.stopping = True
            announce_end()
            running.bridge.server.drain(DRAIN_SECONDS)
            wanted.put(False)
    finally:
        running.bridge.close()


def _reload(running: Running, wanted: queue.SimpleQueue[bool], reloads: Reloads) -> None:
    while wanted.get():
        taken = reloads.begin(running.bridge.config)
        if taken is None:
            continue
        try:
            running.prepare(taken.config, probes=True)
            if not running.switch():
                raise BridgeError("the bridge is about to end")
        except BridgeError as error:
            reloads.failed(error)
        except Exception:
            reloads.broke()
        else:
            reloads.done(taken)


def warn(config: Config) -> None:
    """Say what is allowed and probably not meant."""
    if not config.users:
        log.warning("there are no users: nobody gets in; add one under `users`")
    for told in exposed(config):
        log.warning("%s", told)


def call_on(act: Callable[[], None], *signals: signal.Signals) -> None:
    """Let these signals call `act`, which must be quick."""

    def handle(number: int, frame: FrameType | None) -> None:
        act()

    for one in signals:
        signal.signal(one, handle)


@contextmanager
def background(running: Running, stop: threading.Event) -> Iterator[None]:
    """Poll, and do the work that comes with time, beside the block, until `stop` is set; and once more at the end.

    Of several processes with one state folder one does it. When it ends, another goes on.
    """
    running.start()
    claim = Claim(running.bridge.ground.folder / "settle.lock")
    thread = threading.Thread(target=_settle, args=(running, stop, claim), name="settling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        running.end()
        thread.join()
        _settle_once(running, claim)
        claim.release()


def _settle(running: Running, stop: threading.Event, claim: Claim) -> None:
    while not stop.wait(_SETTLE_SECONDS):
        _settle_once(running, claim)


def _settle_once(running: Running, claim: Claim) -> None:
    try:
        if claim.mine():
            running.settle()
    except (BridgeError, OSError) as error:
        log.warning("reserved names could not be settled: %s", error)
    except Exception:
        # without this thread, reserved names would never become files, and nothing would say so
        log.exception("reserved names could not be settled")


def announce(addresses: Sequence[str], ready: Ready | None) -> None:
    """Tell everybody that we serve."""
    log.info("serving on %s", ", ".join(addresses))
    notify("READY=1")
    if ready is not None:
        ready(addresses)


def announce_end() -> None:
    """Tell everybody that we are about to stop."""
    notify("STOPPING=1")
    log.info("stopping: requests under way have %d seconds", DRAIN_SECONDS)


def limit_arenas() -> None:
    """Two malloc arenas instead of eight a core: threads that list large folders would each keep theirs (stack A3)."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        return  # not glibc
