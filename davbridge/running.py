"""The bridge that a process serves with, whichever it is at the moment; and how another takes its place.

In two steps, since several processes change over together: `prepare` does all that can go wrong, `switch` cannot fail.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Collection

from davbridge import deadline
from davbridge.app import Bridge
from davbridge.config import Config
from davbridge.edge import Leaving
from davbridge.errors import BridgeError, ConfigError

log = logging.getLogger("davbridge")
PROBE_SECONDS = 15.0


class Running:
    """`bridge` is the one that serves. All methods may be called from any thread."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._lock = threading.Lock()
        self._next: Bridge | None = None
        self._ended = False

    def start(self) -> None:
        """Begin with what a bridge does beside answering."""
        self.bridge.pollers.start()

    def settle(self) -> None:
        """As `Bridge.settle`."""
        self.bridge.settle()

    def stay(self) -> None:
        """No other bridge is taken any more."""
        with self._lock:
            self._ended = True
            self._abandon()

    def end(self) -> None:
        """As `stay`, and the bridge that serves does only what it is asked for."""
        self.stay()
        self.bridge.pollers.stop()

    def prepare(self, config: Config, *, probes: bool) -> None:
        """Put the bridge for `config` together. `probes`: look up the drives of what is new in it.

        Raises:
            ConfigError: it cannot be used; what serves goes on.
            BridgeError: the bridge is about to end.
        """
        bridge = self.bridge.successor(config)
        try:
            # what has been found is known to it already, and costs nothing: its mirror is to be kept fresh at once
            known = [name for name, driver in bridge.drivers.items() if driver.follows]
            # what is the same and was not found is no reason to refuse the rest
            new = [name for name in bridge.drivers if name not in bridge.same] if probes else []
            probe(bridge, [*known, *new], known=known)
            with self._lock:
                self._abandon()
                if self._ended:
                    raise BridgeError("the bridge is about to end")
                self._next = bridge
        except BaseException:
            bridge.leave()
            raise

    def abandon(self) -> None:
        """What was prepared is not wanted."""
        with self._lock:
            self._abandon()

    def switch(self) -> bool:
        """Serve with what was prepared; False when there is nothing (any more).

        Requests under way end on the former bridge, which is closed after the last.
        """
        with self._lock:
            bridge, self._next = self._next, None
            if bridge is None:
                return False
            former, self.bridge = self.bridge, bridge
            leaving = bridge.take_over(former)
        threading.Thread(target=_retire, args=(former, leaving), name="retiring", daemon=True).start()
        return True

    def _abandon(self) -> None:
        if self._next is not None:
            self._next.leave()
            self._next = None


def _retire(bridge: Bridge, leaving: Leaving) -> None:
    bridge.pollers.stop()
    leaving.ended.wait()
    bridge.leave()
    # SQLite connections of threads that have ended are parts of cycles, each with two files; a busy process would come
    # to it, an idle one that is reloaded often would not
    gc.collect()


def probe(bridge: Bridge, names: Collection[str], *, known: Collection[str] = ()) -> None:
    """Look up the drives of these policies; nothing is said of those that are `known`.

    Trouble that passes by itself is logged; the mounts say 503 until then.

    Raises:
        ConfigError: what only a change of the configuration can mend.
    """
    for name in names:
        try:
            with deadline.within(bridge.ground.clock, PROBE_SECONDS):
                found = bridge.drivers[name].probe()
            if name not in known:
                log.info("policy %s: %s; account %s", name, found, bridge.config.policies[name].account)
        except ConfigError as error:
            raise ConfigError(f"policy {name}: {error}") from None
        except BridgeError as error:
            log.warning("policy %s: %s", name, error)
