"""The same over the wire: DAV clients of two worker processes, somebody else at the drive, and the oracle.

Changes of others are waited for: push or the next poll must bring them. `DAVBRIDGE_EXAMPLES` as in `test_stateful`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from davbridge.clock import SystemClock
from davbridge.drivers.memory import MemoryDriver
from davbridge.errors import BridgeError
from davbridge.paths import DavPath
from tests.contract.places import body, tree
from tests.mirror.test_stateful import EXAMPLES, _folded
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

_NAMES = st.sampled_from(["a", "A", "b.txt", "é", "c d#"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: DavPath(tuple(names)))
_DATA = st.binary(min_size=1, max_size=3)
_CLIENTS = 4
_PATIENCE = 10.0


class Serving(RuleBasedStateMachine):
    """`world` and `base` are set by the test."""

    world: World
    base: str

    @initialize()
    def start(self) -> None:
        """Empty drives, and some connections: the kernel spreads them over the workers."""
        self.world.reset()
        self.drive = self.world.emulator.drive(MOUNTS["me"])
        self.clients = [self.world.dav("me", base=self.base) for _ in range(_CLIENTS)]
        self.oracle = MemoryDriver(SystemClock())

    def both(self, act: Callable[[Dav], Any], model: Callable[[], Any], who: int) -> None:
        """Do it here and in the oracle: both succeed, or neither."""
        try:
            model()
            expected = True
        except BridgeError:
            expected = False
        answer = act(self.clients[who])
        assert (answer.status < 300) == expected, answer

    @rule(who=st.integers(0, _CLIENTS - 1), path=_PATHS, data=_DATA)
    def put(self, who: int, path: DavPath, data: bytes) -> None:
        """PUT."""
        self.both(lambda dav: dav.put(_url(path), data), lambda: self.oracle.put(path, body(data)), who)

    @rule(who=st.integers(0, _CLIENTS - 1), path=_PATHS)
    def make_folder(self, who: int, path: DavPath) -> None:
        """MKCOL."""
        self.both(lambda dav: dav.mkcol(_url(path)), lambda: self.oracle.make_folder(path), who)

    @rule(who=st.integers(0, _CLIENTS - 1), path=_PATHS)
    def delete(self, who: int, path: DavPath) -> None:
        """DELETE."""
        self.both(lambda dav: dav.delete(_url(path)), lambda: self.oracle.delete(path), who)

    @rule(who=st.integers(0, _CLIENTS - 1), source=_PATHS, onto=_PATHS)
    def move(self, who: int, source: DavPath, onto: DavPath) -> None:
        """MOVE."""
        if source.folded == onto.folded:
            return
        self.both(
            lambda dav: dav.move(_url(source), _url(onto)),
            lambda: self.oracle.move(source, onto, replace=True),
            who,
        )

    @rule(path=_PATHS, data=_DATA)
    def put_elsewhere(self, path: DavPath, data: bytes) -> None:
        """Somebody else writes a file, into a folder that is there."""
        try:
            self.oracle.put(path, body(data))
        except BridgeError:
            return
        self.drive.put(str(path), data)
        self.look()

    @rule(path=_PATHS)
    def delete_elsewhere(self, path: DavPath) -> None:
        """Somebody else deletes."""
        try:
            self.oracle.delete(path)
        except BridgeError:
            return
        self.drive.delete(str(path))
        self.look()

    @rule()
    def look(self) -> None:
        """Every client sees what is there: at once, or once the news has come."""
        expected = _folded(tree(self.oracle))
        end = time.monotonic() + _PATIENCE
        while any(_seen(dav) != expected for dav in self.clients):
            assert time.monotonic() < end, (expected, [_seen(dav) for dav in self.clients])
            time.sleep(0.05)

    def teardown(self) -> None:
        """In the end the service itself holds what the oracle holds."""
        if hasattr(self, "clients"):
            self.look()
            assert _folded(self.drive.tree()) == _folded(tree(self.oracle))
            for dav in self.clients:
                dav.close()


def _url(path: DavPath) -> str:
    return path.url()[1:]


def _seen(dav: Dav, below: str = "") -> dict[tuple[str, ...], bytes | None]:
    found: dict[tuple[str, ...], bytes | None] = {}
    answer = dav.propfind(below, depth=1)
    if answer.status != 207:
        return {("?", str(answer.status)): None}
    for resource in answer.resources[1:]:
        folder = resource.href.endswith("/")
        url = resource.href.removeprefix("/me/")
        key = DavPath(tuple(unquote(url).strip("/").split("/"))).folded
        found[key] = None if folder else dav.get(url).body
        if folder:
            found |= _seen(dav, url)
    return found


def test_like_the_oracle(world: World, workers: str) -> None:
    """Whichever worker answers, and whoever changes the drive, clients see one truth."""
    machine = type("Machine", (Serving,), {"world": world, "base": workers})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(EXAMPLES // 5, 3),
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
