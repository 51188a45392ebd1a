"""What the tests of the mirror under faults share: small pages, broken answers, and the comparison with the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from davbridge.drivers.protocol import Driver
from davbridge.emulator.faults import Action
from davbridge.emulator.httpd import Request, Response
from davbridge.errors import BridgeError
from davbridge.graph import delta
from tests.contract.places import p
from tests.mirror.conftest import Mirrored

PAGE = 3


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delta pages of three items."""
    monkeypatch.setattr(delta, "_OPTIONS", delta._OPTIONS.replace("$top=1000", f"$top={PAGE}"))


@dataclass(frozen=True)
class Changed(Action):
    """Do the work, and change the answer's JSON."""

    change: Callable[[dict[str, Any]], object]

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        """Only answers that are pages are changed."""
        response = run()
        if response.status != 200 or not isinstance(response.body, bytes):
            return response
        body = json.loads(response.body)
        changed = self.change(body)
        return replace(response, body=json.dumps(body if changed is None else changed).encode())


@dataclass(frozen=True)
class Body(Action):
    """Do the work, and answer something else with status 200."""

    body: bytes

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        """The body is a gateway's, the status Graph's."""
        return replace(run(), body=self.body)


def paths(driver: Driver, path: str = "/") -> dict[str, int | None]:
    """Every path below, and a file's size; None for folders."""
    found: dict[str, int | None] = {}
    for item in list(driver.children(p(path))[1]):
        below = f"{path.rstrip('/')}/{item.name}"
        found[below] = None if item.is_folder else item.size
        if item.is_folder:
            found |= paths(driver, below)
    return found


def truth(world: Mirrored) -> dict[str, int | None]:
    """What is on the drive."""
    return {path: None if data is None else len(data) for path, data in world.drive.tree().items()}


def rounds(world: Mirrored, most: int = 10) -> int:
    """Rounds until one is whole; how many failed before."""
    for number in range(most):
        try:
            world.round()
        except BridgeError:
            continue
        return number
    raise AssertionError(f"no round in {most} was whole")


def assert_true(world: Mirrored) -> None:
    """Both drivers show the truth, without a call."""

    def look() -> None:
        for driver in (world.driver, world.other):
            assert paths(driver) == truth(world)

    calls = world.calls(look)
    assert calls == []
