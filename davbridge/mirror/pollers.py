"""All drives that a bridge watches: a poller each, started when the bridge serves and its drive has been found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from davbridge.clock import Clock
from davbridge.graph.client import Graph
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.poller import Channel, Pace, Poller
from davbridge.mirror.sync import DeltaSync
from davbridge.mirror.watch import Watch


class Pollers:
    """Policies on one drive share its poller, at the pace of the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[DeltaSync, Watch, Poller | None]] = {}
        self._running = False

    def watch(
        self,
        graph: Graph,
        drive_id: str,
        file: MirrorFile,
        name: str,
        busy: float,
        channel: Callable[[], Channel] | None = None,
    ) -> Callable[[], None]:
        """Watch a drive from now on, or from `start` on; what it gives is called with every request.

        `busy`: seconds between polls while clients are there; 0: nobody polls. `channel` makes what hears of changes at
        once, for the process that polls.
        """
        with self._lock:
            known = self._known.get(file.path)
            if known is None:
                sync = DeltaSync(graph, drive_id, file, name)
                watch = Watch(file, self._clock, lambda: sync.standing)
                poller = Poller(sync, watch, self._clock, Pace(busy=busy), channel) if busy else None
                known = self._known[file.path] = (sync, watch, poller)
                file.is_polled = poller is not None
                if self._running and poller:
                    poller.start()
        watch = known[1]
        return lambda: watch.attend() if self._running else None

    def start(self) -> None:
        """Begin to poll."""
        with self._lock:
            self._running = True
            for _sync, _watch, poller in self._known.values():
                if poller:
                    poller.start()

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._running

    def stop(self) -> None:
        """End all pollers."""
        with self._lock:
            running, self._running = self._running, False
            pollers = [poller for _sync, _watch, poller in self._known.values() if poller]
        if running:
            for poller in pollers:
                poller.stop()

    def round(self) -> None:
        """One delta round of every drive, now and here. Raises: as `DeltaSync.round`."""
        for sync, _watch, _poller in list(self._known.values()):
            sync.round()
