"""A bridge that ends and begins again over one state folder, in the test's own process; also as after `kill -9`.

Killing a process takes a second: the 500 kills of `test_kills` are real, and these are not. From one moment on nothing
that the bridge does reaches Microsoft or its files any more, and the kernel's locks are let go, as the kernel does it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from davbridge.app import Bridge, build
from davbridge.config.model import Config
from davbridge.edge import Limits
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Action
from davbridge.emulator.httpd import Drop, Request, Response
from davbridge.errors import BridgeError
from tests.support.clock import HastyClock
from tests.support.dav import Dav
from tests.support.world import USERS, configuration


class Killed(Exception):
    """What a thread of a bridge that is no more runs into, whatever it does."""


def cheap_configuration(emulator: Emulator, folder: Path) -> Config:
    """As `configuration`, and both users may write."""
    config = configuration(emulator, folder)
    for policy in config.policies.values():
        object.__setattr__(policy, "access", dict.fromkeys(USERS, "write"))
    return config


@dataclass
class Life:
    """The bridge that lives at the moment, and the clock that goes on from one to the next."""

    config: Config
    folder: Path
    clock: HastyClock = field(default_factory=HastyClock)
    bridge: Bridge = field(init=False)
    dead: list[Bridge] = field(default_factory=list)
    is_dead: bool = False
    _dying: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self.config.state, "directory", self.folder)
        self.begin()

    def begin(self) -> None:
        """A new process over the same folder."""
        self.bridge = build(self.config, self.clock, Limits(threads=8))
        self.is_dead = False
        self.bridge.server.start()

    def dav(self, mount: str, user: str) -> Dav:
        """A client on a connection of its own."""
        return Dav(f"http://{self.bridge.server.addresses[0]}", user, USERS[user], f"/{mount}/")

    def end(self) -> None:
        """As on SIGTERM."""
        self.bridge.server.drain(5)
        self.bridge.close()

    def kill(self) -> None:
        """As on SIGKILL: nothing is written, sent or let go of in an orderly way any more."""
        with self._dying:
            if self.is_dead:
                return
            self.is_dead = True
            bridge = self.bridge
            for transport in bridge.transports:
                _silence(transport, "send")
            _silence(bridge.database, "transaction", "read")
            for file in list(bridge.mirrors._files.values()):
                _silence(file, "writing", "read", "stream", "remember")
            journal = bridge.ground.desks.journal
            if journal._mine is not None:
                os.close(journal._mine[1])  # the file stays: so does the kernel leave it
                journal._mine = None
            self.dead.append(bridge)

    def bury(self) -> None:
        """Let go of what those that were killed still hold of this process."""
        for bridge in self.dead:
            bridge.server.drain(5)
            with suppress(Killed, BridgeError):
                bridge.close()
        self.dead.clear()

    def settle(self, rounds: int = 40) -> bool:
        """Let time go by until nothing is left half done; whether that is so."""
        for _ in range(rounds):
            if not self.unsettled:
                return True
            self.clock.sleep(10)
            self.bridge.settle()
        return not self.unsettled

    @property
    def unsettled(self) -> list[object]:
        """What the journal tells that nobody works at."""
        return [entry.work for entry in self.bridge.recovery._journal.left()]


@dataclass(frozen=True)
class KillAt(Action):
    """Kill the bridge when it makes this call: before Microsoft does what is asked for, or after."""

    life: Life
    after: bool
    noted: Callable[[], None]

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        self.noted()
        self.life.kill()
        if self.after:
            run()
        raise Drop


def _silence(owner: Any, *names: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Killed("the process has been killed")

    for name in names:
        object.__setattr__(owner, name, refuse)
