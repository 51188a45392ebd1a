"""How a channel stands, for `status`; and what the log says of it: a line when it is lost and one when it is back."""

from __future__ import annotations

import logging
import threading
from typing import Literal

from davbridge.clock import Clock
from davbridge.push.channel import State

log = logging.getLogger("davbridge.push")


class Standing:
    """Written by the channel's thread, read by any."""

    def __init__(self, drive_id: str, clock: Clock) -> None:
        self._drive_id = drive_id
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State("retrying", clock.now(), reason="not connected yet")
        self._told = ""

    @property
    def state(self) -> State:
        with self._lock:
            return self._state

    def connected(self, way: str) -> None:
        self._set("connected", way=way)
        if self._tell("connected"):
            log.info("drive %s: changes are told by push (%s)", self._drive_id, way)

    def lost(self, reason: str, *, again: bool = False) -> None:
        """`again`: a connection that does not hold has been told of before."""
        self._set("retrying", reason=reason)
        if again:
            log.debug("drive %s: push is lost again: %s", self._drive_id, reason)
        elif self._tell("retrying"):
            log.warning("drive %s: push is lost, polls go on: %s", self._drive_id, reason)

    def unavailable(self, reason: str) -> None:
        self._set("unavailable", reason=reason)
        if self._tell("unavailable"):
            log.info("drive %s: there is no push, polls alone tell of changes: %s", self._drive_id, reason)

    def _set(self, kind: Literal["connected", "retrying", "unavailable"], *, way: str = "", reason: str = "") -> None:
        with self._lock:
            since = self._state.since if self._state.kind == kind else self._clock.now()
            self._state = State(kind, since, way, reason)

    def _tell(self, kind: str) -> bool:
        """True when the log does not say so yet."""
        before, self._told = self._told, kind
        return before != kind
