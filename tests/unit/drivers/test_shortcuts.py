"""Shortcuts to folders of other drives, which Graph does not follow by itself (facts: Graph §2.9)."""

from __future__ import annotations

from typing import Any

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.roots import Place
from davbridge.errors import NotFound, Unsupported
from davbridge.graph.model import Drive, ItemRef
from davbridge.paths import DavPath

HERE, THERE = "b!here", "b!there"


def described(drive: str, item_id: str, name: str, parent: str, **facets: Any) -> dict[str, Any]:
    """A driveItem's JSON."""
    reference = {"driveId": drive, "id": parent}
    return {"id": item_id, "name": name, "eTag": f'"{{{item_id}}},1"', "parentReference": reference, **facets}


ROOT = described(HERE, "root-id", "root", "", folder={})
REMOTE = {"id": "shared", "name": "Shared", "folder": {}, "parentReference": {"driveId": THERE, "id": "x"}}
SHORTCUT = described(HERE, "short", "Team", "root-id", remoteItem=REMOTE)
SHARED = described(THERE, "shared", "Shared", "x", folder={})
FILE = described(THERE, "file", "a.txt", "shared", file={"mimeType": "text/plain"}, size=3)

ANSWERS = {
    f"/drives/{HERE}/items/root-id": {**ROOT, "children": [SHORTCUT]},
    f"/drives/{HERE}/items/root-id:/Team": SHORTCUT,
    f"/drives/{HERE}/items/short": SHORTCUT,
    f"/drives/{THERE}/items/shared": {**SHARED, "children": [FILE]},
    f"/drives/{THERE}/items/shared:/a.txt": FILE,
}


class Reply:
    """An answer to a write."""

    status = 204


class StubGraph:
    """Answers reads from a table, and notes writes."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []

    def get_json(self, path: str) -> dict[str, Any]:
        """The table's JSON."""
        try:
            return ANSWERS[path.partition("?")[0]]
        except KeyError:
            raise NotFound(path) from None

    def call(self, method: str, path: str, **_: Any) -> Reply:
        """A write."""
        self.writes.append((method, path))
        return Reply()


@pytest.fixture
def graph() -> StubGraph:
    """The stub."""
    return StubGraph()


@pytest.fixture
def driver(graph: StubGraph) -> GraphDriver:
    """A driver over it."""
    place = Place(Drive(HERE, "business", "OneDrive", "", "", None), ItemRef(HERE, "root-id"), "/")
    return GraphDriver(graph, lambda: place, ManualClock())  # type: ignore[arg-type]


def p(path: str) -> DavPath:
    """A path."""
    return DavPath.parse(path)


@pytest.mark.parametrize("listed", [False, True], ids=["cold", "warm"])
def test_shortcut_is_a_folder(driver: GraphDriver, listed: bool) -> None:
    """It has the target's children, under its own name; items below it are found by path."""
    if listed:
        assert [child.name for child in driver.children(p("/"))[1]] == ["Team"]
    assert driver.stat(p("/Team/a.txt")).size == 3
    folder, children = driver.children(p("/Team"))
    assert (folder.name, folder.is_folder) == ("Team", True)
    assert [child.name for child in children] == ["a.txt"]
    with pytest.raises(NotFound):
        driver.stat(p("/Team/b.txt"))


@pytest.mark.parametrize("listed", [False, True], ids=["cold", "warm"])
def test_listing_a_shortcut_first(driver: GraphDriver, listed: bool) -> None:
    """A listing needs no look-up of the shortcut before it."""
    if listed:
        list(driver.children(p("/"))[1])
    assert [child.name for child in driver.children(p("/Team"))[1]] == ["a.txt"]
    assert driver.stat(p("/Team/a.txt")).id == "file"


def test_deleting_a_shortcut_spares_its_target(driver: GraphDriver, graph: StubGraph) -> None:
    """The shortcut's own item goes, not what it leads to."""
    driver.stat(p("/Team"))
    driver.delete(p("/Team"))
    assert graph.writes == [("DELETE", f"/drives/{HERE}/items/short")]


def test_no_move_between_drives(driver: GraphDriver, graph: StubGraph) -> None:
    """Graph cannot move between drives; that is said before anything is tried."""
    list(driver.children(p("/Team"))[1])
    with pytest.raises(Unsupported):
        driver.move(p("/Team/a.txt"), p("/b.txt"), replace=False)
    assert graph.writes == []
