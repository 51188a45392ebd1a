"""A driver over Graph beside the oracle: random operations must have the same outcome and leave the same tree."""

from __future__ import annotations

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
from davbridge.errors import BridgeError
from davbridge.graph.client import Graph
from davbridge.paths import DavPath
from tests.contract.places import DRIVES, body, driver_of, tree

# few names, so that operations meet each other; some differ only in case or Unicode form
_NAMES = st.sampled_from(["a", "A", "b.txt", "é", "e\u0301", "c d#"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: DavPath(tuple(names)))
_DATA = st.binary(max_size=3)


class Comparison(RuleBasedStateMachine):
    """Both drivers get the same operations; `graph`, `emulator` and `kind` are set by the test."""

    emulator: Emulator
    graph: Graph
    kind: str

    @initialize()
    def start(self) -> None:
        """Begin with two empty drives."""
        drive = self.emulator.drive(DRIVES[self.kind])
        drive.clear()
        self.real = driver_of(self.kind, self.emulator, self.graph)
        self.oracle = MemoryDriver(SystemClock())

    def both(self, operation: Callable[[Driver], Any]) -> None:
        """Do it twice and compare: the value, or the class of the error."""
        outcomes = []
        for driver in (self.real, self.oracle):
            try:
                outcomes.append(operation(driver))
            except BridgeError as error:
                outcomes.append(type(error).__name__)
        assert outcomes[0] == outcomes[1]

    @rule(path=_PATHS, data=_DATA, if_absent=st.booleans())
    def put(self, path: DavPath, data: bytes, if_absent: bool) -> None:
        """PUT, maybe over something."""
        self.both(lambda driver: driver.put(path, body(data), if_absent=if_absent).created)

    @rule(path=_PATHS)
    def make_folder(self, path: DavPath) -> None:
        """MKCOL."""
        self.both(lambda driver: bool(driver.make_folder(path).is_folder))

    @rule(source=_PATHS, onto=_PATHS, replace=st.booleans())
    def move(self, source: DavPath, onto: DavPath, replace: bool) -> None:
        """MOVE, also onto something, also into nothing."""
        self.both(lambda driver: driver.move(source, onto, replace=replace).created)

    @rule(source=_PATHS, onto=_PATHS, replace=st.booleans(), deep=st.booleans())
    def copy(self, source: DavPath, onto: DavPath, replace: bool, deep: bool) -> None:
        """COPY."""
        self.both(lambda driver: driver.copy(source, onto, replace=replace, deep=deep).created)

    @rule(path=_PATHS)
    def delete(self, path: DavPath) -> None:
        """DELETE."""
        self.both(lambda driver: driver.delete(path))

    @rule(path=_PATHS)
    def stat(self, path: DavPath) -> None:
        """PROPFIND of one item."""
        self.both(lambda driver: (driver.stat(path).kind, driver.stat(path).size))

    @rule()
    def forget(self) -> None:
        """The cache runs out."""
        self.real.forget()

    @rule()
    def look(self) -> None:
        """List everything, as it is believed to be."""
        self.same()

    def same(self) -> None:
        """The trees have the same names and contents."""
        assert _folded(tree(self.real)) == _folded(tree(self.oracle))

    def teardown(self) -> None:
        """In the end the service itself holds what the oracle holds."""
        if hasattr(self, "real"):
            self.same()
            held = self.emulator.drive(DRIVES[self.kind]).tree()
            assert _folded(held) == _folded(tree(self.oracle))


def _folded(found: dict[str, bytes | None]) -> dict[tuple[str, ...], bytes | None]:
    return {DavPath(tuple(path.strip("/").split("/"))).folded: data for path, data in found.items()}


@pytest.mark.parametrize("kind", ["business", "personal"])
def test_like_the_oracle(kind: str, emulator: Emulator, graph: Graph) -> None:
    """No sequence of operations tells the driver over Graph from the one in memory."""
    machine = type("Machine", (Comparison,), {"emulator": emulator, "graph": graph, "kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
