"""What a push channel is to the poller, and what a way of listening is to a channel."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from davbridge.errors import BridgeError


@dataclass(frozen=True)
class State:
    """For `status`. `way` is `socket` or `webhook`, empty unless connected; `reason` is why it is not."""

    kind: Literal["connected", "retrying", "unavailable"]
    since: datetime
    way: str = ""
    reason: str = ""


class PushChannel(Protocol):
    """Listens for changes of one drive."""

    @property
    def state(self) -> State:
        """How it stands; from any thread."""

    def run(self, stop: threading.Event, changed: Callable[[], None]) -> None:
        """Listen until `stop` is set, which ends it within a second. Never raises.

        `changed` is called for each notification and after each (re)connection, when something may have been missed; it
        must be quick. A webhook's notifications reach any worker process, so they come through `NotifyEndpoint`.
        """


class Way(Protocol):
    """One way of listening, run by `Listening`."""

    name: str

    def listen(self, stop: threading.Event, connected: Callable[[], None], changed: Callable[[], None]) -> None:
        """Connect, say so, and listen, until `stop` is set or the connection is to be renewed.

        Raises:
            Stopped: `stop` was set while it waited for Microsoft.
            Unsupported: Microsoft does not offer it here.
            BridgeError: it could not be opened, or is lost.
        """

    def close(self) -> None:
        """The channel ends: let go of what outlives a connection. Never raises."""


class Lost(BridgeError):
    """The connection has ended, or speaks nonsense."""


class Stopped(Exception):
    """The channel is to end."""


@dataclass(frozen=True)
class Pacing:
    """Seconds: the first pause after a failure, the longest, the one where push is not offered.

    A connection that has held for `steady` is forgiven the failures before it. After `rounds` failures in a row
    another way is tried, if there is one.
    """

    first: float = 1.0
    longest: float = 60.0
    unavailable: float = 3600.0
    steady: float = 60.0
    rounds: int = 6

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row: doubled each time, with jitter."""
        pause = min(self.first * 2.0 ** min(failures - 1, 16), self.longest)
        jittered = pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
        return min(max(jittered, self.first), self.longest)
