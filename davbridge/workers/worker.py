"""A worker process: a bridge of its own on addresses that the supervisor holds.

It says over `channel` how far it has come, and begins to listen when the supervisor answers; later it is told there to
prepare another configuration, and to switch to it. The other end of the channel closes when the supervisor is gone,
however it went: a worker never outlives it by more than the time to drain.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from davbridge.app import build
from davbridge.clock import SystemClock
from davbridge.config import Config
from davbridge.edge import Place
from davbridge.errors import BridgeError, ConfigError
from davbridge.logs import configure_logging
from davbridge.running import Running, probe
from davbridge.service import DRAIN_SECONDS, background, call_on, limit_arenas
from davbridge.workers.crew import Failed, Stage
from davbridge.workers.reload import Answer, Order, Prepare, Step

log = logging.getLogger(__name__)
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
    # Ctrl-C, and a terminal's end, go to all processes of a terminal; the supervisor answers them for us, and has
    # blocked them until here
    for one in (signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGHUP])
    configure_logging(orders.level, f"worker {orders.number}")
    limit_arenas()
    try:
        _work(orders, channel)
    except BridgeError as error:
        channel.send(_failed(error))
    except (EOFError, ConnectionError):
        return  # the supervisor has gone


def _work(orders: Orders, channel: Connection) -> None:
    running = Running(build(orders.config, SystemClock()))
    try:
        if orders.probes:
            probe(running.bridge, list(running.bridge.drivers))
        channel.send(Stage.BUILT)
        channel.recv()
        stop = threading.Event()
        call_on(stop.set, signal.SIGTERM)
        running.bridge.server.start(orders.places)
        channel.send(Stage.SERVING)
        told: queue.SimpleQueue[Prepare | Order] = queue.SimpleQueue()
        threading.Thread(target=_watch, args=(channel, stop, told), name="watching", daemon=True).start()
        threading.Thread(target=_obey, args=(channel, stop, told, running), name="reloading", daemon=True).start()
        with background(running, stop):
            stop.wait()
            running.stay()
            running.bridge.server.drain(DRAIN_SECONDS)
    finally:
        running.bridge.close()


def _watch(channel: Connection, stop: threading.Event, told: queue.SimpleQueue[Prepare | Order]) -> None:
    """Pass on what the supervisor says, and end with it. A thread that ends with the process: nothing waits for it."""
    try:
        while True:
            told.put(channel.recv())
    except (EOFError, OSError):
        stop.set()
        time.sleep(DRAIN_SECONDS + LATE_SECONDS)
        os._exit(1)


def _obey(
    channel: Connection, stop: threading.Event, told: queue.SimpleQueue[Prepare | Order], running: Running
) -> None:
    """Do what the supervisor says; the only thread that answers it from now on."""
    while True:
        order = told.get()
        if isinstance(order, Prepare):
            answer = _prepared(order, running, stop)
        elif order.step is Step.SWITCH:
            running.switch()
            answer = Answer(order.number, Step.SWITCHED)
        else:
            running.abandon()
            continue
        with contextlib.suppress(OSError):  # the supervisor has gone
            channel.send(answer)


def _prepared(order: Prepare, running: Running, stop: threading.Event) -> Answer:
    try:
        running.prepare(order.config, probes=order.probes)
    except BridgeError as error:
        # who is about to end has nothing against anything
        return Answer(order.number, failed=None if stop.is_set() else _failed(error))
    except Exception:
        log.exception("the configuration could not be prepared")
        return Answer(order.number, failed=Failed("an error of the bridge's own; its log has more", False))
    return Answer(order.number)


def _failed(error: BridgeError) -> Failed:
    return Failed(str(error), isinstance(error, ConfigError))
