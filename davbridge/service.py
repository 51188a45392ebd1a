"""The running bridge: start, say that it is ready, drain on SIGTERM, stop. What `davbridge serve` does."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

from davbridge import deadline
from davbridge.app import Bridge, build
from davbridge.clock import Clock, SystemClock
from davbridge.config import Config
from davbridge.errors import BridgeError, ConfigError
from davbridge.redact import RedactingFilter

log = logging.getLogger("davbridge")
DRAIN_SECONDS = 30.0
_SETTLE_SECONDS = 5.0
_PROBE_SECONDS = 15.0
_M_ARENA_MAX = -8


def configure_logging(level: int = logging.INFO) -> None:
    """Log lines to standard error, each through the filter that removes secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    # systemd's journal has its own clock
    stamp = "" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s "
    handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("wsgidav", "urllib3", "msal"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def run(config: Config, *, ready: Callable[[Bridge], None] | None = None, stop: threading.Event | None = None) -> None:
    """Serve until SIGTERM or SIGINT, or until `stop` is set. `ready` is called when it serves.

    Raises:
        ConfigError: it cannot start: an address in use, a wrong secret, an unknown site.
    """
    limit_arenas()
    clock = SystemClock()
    bridge = build(config, clock)
    stop = stop or threading.Event()
    try:
        if not config.users:
            log.warning("there are no users: nobody gets in; add one under `users`")
        probe(bridge, clock)
        bridge.server.start()
        bridge.pollers.start()
        _on_signals(stop)
        settling = threading.Thread(target=_settle, args=(bridge, stop), name="settling", daemon=True)
        settling.start()
        log.info("serving on %s", ", ".join(bridge.server.addresses))
        notify("READY=1")
        if ready is not None:
            ready(bridge)
        stop.wait()
        notify("STOPPING=1")
        log.info("stopping: requests under way have %d seconds", DRAIN_SECONDS)
        bridge.server.drain(DRAIN_SECONDS)
        bridge.pollers.stop()
        settling.join()
        bridge.settle()
    finally:
        bridge.close()


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


def _on_signals(stop: threading.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def _settle(bridge: Bridge, stop: threading.Event) -> None:
    while not stop.wait(_SETTLE_SECONDS):
        try:
            bridge.settle()
        except BridgeError as error:
            log.warning("reserved names could not be settled: %s", error)
        except Exception:
            # without this thread, reserved names would never become files, and nothing would say so
            log.exception("reserved names could not be settled")


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
