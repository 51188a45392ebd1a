"""One process that serves: start, say that it is ready, drain on SIGTERM, stop. `workers` has what several need."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from davbridge import deadline
from davbridge.app import Bridge, build, state_folder
from davbridge.claim import Claim
from davbridge.clock import Clock, SystemClock
from davbridge.config import Config
from davbridge.errors import BridgeError, ConfigError

log = logging.getLogger("davbridge")
DRAIN_SECONDS = 30.0
Ready = Callable[[Sequence[str]], None]
_SETTLE_SECONDS = 5.0
_PROBE_SECONDS = 15.0
_M_ARENA_MAX = -8


def run(config: Config, *, ready: Ready | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT. `ready` is called with the addresses when it serves.

    Raises:
        ConfigError: it cannot start: an address in use, a wrong secret, an unknown site.
    """
    limit_arenas()
    clock = SystemClock()
    stop = threading.Event()
    bridge = build(config, clock)
    try:
        warn(config)
        probe(bridge, clock)
        bridge.server.start()
        stop_on(stop, signal.SIGTERM, signal.SIGINT)
        announce(bridge.server.addresses, ready)
        with background(bridge, stop, state_folder(config)):
            stop.wait()
            announce_end()
            bridge.server.drain(DRAIN_SECONDS)
    finally:
        bridge.close()


def warn(config: Config) -> None:
    """Say what is allowed and probably not meant."""
    if not config.users:
        log.warning("there are no users: nobody gets in; add one under `users`")


def probe(bridge: Bridge, clock: Clock) -> None:
    """Look every policy's drive up. Trouble that passes by itself is logged; the mounts say 503 until then.

    Raises:
        ConfigError: what only a change of the configuration can mend.
    """
    for name, driver in bridge.drivers.items():
        try:
            with deadline.within(clock, _PROBE_SECONDS):
                log.info("policy %s: %s", name, driver.probe())
        except ConfigError as error:
            raise ConfigError(f"policy {name}: {error}") from None
        except BridgeError as error:
            log.warning("policy %s: %s", name, error)


def stop_on(stop: threading.Event, *signals: signal.Signals) -> None:
    """Let these signals set `stop`."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    for one in signals:
        signal.signal(one, handle)


@contextmanager
def background(bridge: Bridge, stop: threading.Event, folder: Path) -> Iterator[None]:
    """Poll, and do the work that comes with time, beside the block, until `stop` is set; and once more at the end.

    Of several processes with one state folder one does it. When it ends, another goes on.
    """
    bridge.pollers.start()
    claim = Claim(folder / "settle.lock")
    thread = threading.Thread(target=_settle, args=(bridge, stop, claim), name="settling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        bridge.pollers.stop()
        thread.join()
        _settle_once(bridge, claim)
        claim.release()


def _settle(bridge: Bridge, stop: threading.Event, claim: Claim) -> None:
    while not stop.wait(_SETTLE_SECONDS):
        _settle_once(bridge, claim)


def _settle_once(bridge: Bridge, claim: Claim) -> None:
    try:
        if claim.mine():
            bridge.settle()
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


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing without it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.send(state.encode())


def limit_arenas() -> None:
    """Two malloc arenas instead of eight a core: threads that list large folders would each keep theirs (stack A3)."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        return  # not glibc
