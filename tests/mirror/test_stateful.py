"""Two processes' drivers on one mirror, somebody else at the drive, and the oracle: what is seen is what is there.

`DAVBRIDGE_EXAMPLES` sets how many sequences are tried; the checks take few, so as to be quick.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from davbridge.clock import SystemClock
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.protocol import Driver
from davbridge.emulator import Emulator
from davbridge.errors import BridgeError, NotFound
from davbridge.graph.client import Graph
from davbridge.mirror.folder import Mirrors
from davbridge.paths import DavPath
from tests.contract.places import body, tree
from tests.mirror.conftest import mirrored

_NAMES = st.sampled_from(["a", "A", "b.txt", "é", "c d#"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: DavPath(tuple(names)))
_DATA = st.binary(min_size=1, max_size=3)
_WHO = st.sampled_from([0, 1])
EXAMPLES = int(os.environ.get("DAVBRIDGE_EXAMPLES", "25"))


class Mirroring(RuleBasedStateMachine):
    """`graph`, `emulator` and `kind` are set by the test. `stale`: somebody else has changed the drive since."""

    emulator: Emulator
    graph: Graph
    kind: str

    @initialize()
    def start(self) -> None:
        """An empty drive, enumerated."""
        self.mirrors = Mirrors.temporary(self.graph.clock)
        self.world = mirrored(self.kind, self.emulator, self.graph, self.mirrors)
        self.world.drive.clear()
        self.world.round()
        self.oracle = MemoryDriver(SystemClock())
        self.stale = False

    def both(self, who: int, operation: Callable[[Driver], Any]) -> None:
        """Do it here and in the oracle, and compare: the value, or the class of the error."""
        if self.stale:
            self.round()
        outcomes = []
        for driver in ((self.world.driver, self.world.other)[who], self.oracle):
            try:
                outcomes.append(operation(driver))
            except BridgeError as error:
                outcomes.append(type(error).__name__)
        assert outcomes[0] == outcomes[1]

    @rule(who=_WHO, path=_PATHS, data=_DATA, if_absent=st.booleans())
    def put(self, who: int, path: DavPath, data: bytes, if_absent: bool) -> None:
        """PUT by one of the processes."""
        self.both(who, lambda driver: driver.put(path, body(data), if_absent=if_absent).created)

    @rule(who=_WHO, path=_PATHS)
    def make_folder(self, who: int, path: DavPath) -> None:
        """MKCOL."""
        self.both(who, lambda driver: driver.make_folder(path).is_folder)

    @rule(who=_WHO, source=_PATHS, onto=_PATHS, replace=st.booleans())
    def move(self, who: int, source: DavPath, onto: DavPath, replace: bool) -> None:
        """MOVE."""
        self.both(who, lambda driver: driver.move(source, onto, replace=replace).created)

    @rule(who=_WHO, source=_PATHS, onto=_PATHS, replace=st.booleans())
    def copy(self, who: int, source: DavPath, onto: DavPath, replace: bool) -> None:
        """COPY."""
        self.both(who, lambda driver: driver.copy(source, onto, replace=replace).created)

    @rule(who=_WHO, path=_PATHS)
    def delete(self, who: int, path: DavPath) -> None:
        """DELETE."""
        self.both(who, lambda driver: driver.delete(path))

    @rule(who=_WHO, path=_PATHS)
    def stat(self, who: int, path: DavPath) -> None:
        """PROPFIND of one item."""
        self.both(who, lambda driver: (driver.stat(path).kind, driver.stat(path).size))

    @rule(path=_PATHS, data=_DATA)
    def put_elsewhere(self, path: DavPath, data: bytes) -> None:
        """Somebody else writes a file, into a folder that is there."""
        try:
            self.oracle.put(path, body(data))
        except BridgeError:
            return
        self.world.drive.put(str(path), data)
        self.stale = True

    @rule(path=_PATHS)
    def make_folder_elsewhere(self, path: DavPath) -> None:
        """Somebody else makes a folder."""
        try:
            self.oracle.make_folder(path)
        except BridgeError:
            return
        self.world.drive.mkdir(str(path))
        self.stale = True

    @rule(source=_PATHS, onto=_PATHS)
    def move_elsewhere(self, source: DavPath, onto: DavPath) -> None:
        """Somebody else moves or renames."""
        if source.folded == onto.folded:
            return
        try:
            self.oracle.move(source, onto, replace=False)
        except BridgeError:
            return
        self.world.drive.move(str(source), str(onto))
        self.stale = True

    @rule(path=_PATHS)
    def delete_elsewhere(self, path: DavPath) -> None:
        """Somebody else deletes."""
        try:
            self.oracle.delete(path)
        except BridgeError:
            return
        self.world.drive.delete(str(path))
        self.stale = True

    @rule(path=_PATHS)
    def delete_and_restore(self, path: DavPath) -> None:
        """Deleted through the bridge, and brought back from the recycle bin by somebody (personal drives only)."""
        if self.kind != "personal":
            return
        if self.stale:
            self.round()
        try:
            self.oracle.stat(path)
        except NotFound:
            return
        item_id = self.world.driver.stat(path).id
        self.world.driver.delete(path)
        self.world.drive.restore(item_id)
        self.stale = True

    @rule()
    def round(self) -> None:
        """A delta round."""
        self.world.round()
        self.stale = False

    @rule()
    def expire(self) -> None:
        """The delta link is refused: everything is enumerated anew."""
        self.world.drive.expire_delta()
        self.round()

    @rule()
    def lose_the_mirror(self) -> None:
        """The file is deleted under the running bridge."""
        self.world.file.path.unlink()
        self.world.file._looked = 0.0
        self.world.file.look()
        self.round()

    @rule()
    def look(self) -> None:
        """Both processes list everything."""
        if self.stale:
            self.round()
        expected = _folded(tree(self.oracle))
        assert _folded(tree(self.world.driver)) == expected
        assert _folded(tree(self.world.other)) == expected

    def teardown(self) -> None:
        """In the end the service, the mirror and the oracle are one."""
        if hasattr(self, "world"):
            self.round()
            self.look()
            assert _folded(self.world.drive.tree()) == _folded(tree(self.oracle))
            self.mirrors.close()


def _folded(found: dict[str, bytes | None]) -> dict[tuple[str, ...], bytes | None]:
    return {DavPath(tuple(path.strip("/").split("/"))).folded: data for path, data in found.items()}


@pytest.mark.parametrize("kind", ["business", "personal"])
def test_like_the_oracle(kind: str, emulator: Emulator, graph: Graph) -> None:
    """No sequence of operations on both sides makes the bridge show anything else than the truth."""
    machine = type("Machine", (Mirroring,), {"emulator": emulator, "graph": graph, "kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            derandomize="DAVBRIDGE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
