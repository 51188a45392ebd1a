"""A worker process: a bridge of its own on addresses that the supervisor holds.

It says over `channel` how far it has come, and begins to listen when the supervisor answers. The other end of the
channel closes when the supervisor is gone, however it went: a worker never outlives it by more than the time to drain.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from davbridge.app import build, state_folder
from davbridge.clock import SystemClock
from davbridge.config import Config
from davbridge.edge import Place
from davbridge.errors import BridgeError, ConfigError
from davbridge.logs import configure_logging
from davbridge.service import DRAIN_SECONDS, background, limit_arenas, probe, stop_on
from davbridge.workers.crew import Failed, Stage

LATE_SECONDS = 5.0
"""How much longer than its requests a worker may take to end."""


@dataclass(frozen=True)
class Orders:
    """What a worker is told. `probes`: it looks the drives up first, for all."""

    number: int
    config: Config
    places: Sequence[Place]
    level: int
    probes: bool


def work(orders: Orders, channel: Connection) -> None:
    """Serve until SIGTERM, or until the supervisor is gone. What goes wrong before is told over the channel."""
    # Ctrl-C goes to all processes of a terminal; the supervisor answers it for us, and has blocked it until here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    configure_logging(orders.level, f"worker {orders.number}")
    limit_arenas()
    try:
        _work(orders, channel)
    except BridgeError as error:
        channel.send(Failed(str(error), isinstance(error, ConfigError)))
    except (EOFError, ConnectionError):
        return  # the supervisor has gone


def _work(orders: Orders, channel: Connection) -> None:
    clock = SystemClock()
    bridge = build(orders.config, clock)
    try:
        if orders.probes:
            probe(bridge, clock)
        channel.send(Stage.BUILT)
        channel.recv()
        stop = threading.Event()
        stop_on(stop, signal.SIGTERM)
        bridge.server.start(orders.places)
        threading.Thread(target=_watch, args=(channel, stop), name="watching", daemon=True).start()
        channel.send(Stage.SERVING)
        with background(bridge, stop, state_folder(orders.config)):
            stop.wait()
            bridge.server.drain(DRAIN_SECONDS)
    finally:
        bridge.close()


def _watch(channel: Connection, stop: threading.Event) -> None:
    """End with the supervisor. A thread that ends with the process, so that nothing waits for it."""
    try:
        channel.recv()
    except (EOFError, OSError):
        stop.set()
        time.sleep(DRAIN_SECONDS + LATE_SECONDS)
        os._exit(1)
