"""Huge drives: items made from their numbers, and ordinary ones as soon as they are changed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.emulator import DriveState
from tests.emulator.conftest import Api

KINDS = ["business", "documents", "personal", "personal-migrated"]


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[DriveState]:
    """Each kind of drive with 12 folders of 5 files, three folders in a folder."""
    state = emulator.drive(request.param)
    state.generate(folders=12, files_per_folder=5, under="/huge", fanout=3)
    yield state
    state.clear()


def pages(api: Api, url: str) -> tuple[list[list[dict]], str]:
    """Every page of a listing or an enumeration, and the deltaLink at its end."""
    out = []
    while True:
        answer = api("GET", url.removeprefix(api.emulator.graph_url), 200).json()
        out.append(answer["value"])
        if "@odata.nextLink" not in answer:
            return out, answer.get("@odata.deltaLink", "")
        url = answer["@odata.nextLink"]


def delta(api: Api, url: str) -> tuple[dict[str, dict], str]:
    """The last state of each item of an enumeration, and its deltaLink."""
    found, link = pages(api, url)
    return {item["id"]: item for page in found for item in page}, link


def test_a_million_items(api: Api, emulator: Emulator) -> None:
    """Cost nothing to make; pages, paths, ids and contents of any of them come at once."""
    state = emulator.drive("business")
    drive = f"/drives/{state.id}"
    begun = time.monotonic()
    state.generate(folders=1000, files_per_folder=999)
    assert time.monotonic() - begun < 5
    page = api("GET", f"{drive}/root/children?$top=1000", 200).json()
    assert len(page["value"]) == 1000
    first = api("GET", f"{drive}/root:/folder%200000999:/children?$top=3", 200).json()
    assert first["@odata.count"] == 999
    file = first["value"][2]
    for url in (f"items/{file['id']}", f"root:/folder%200000999/{file['name']}"):
        assert api("GET", f"{drive}/{url}", 200).json()["eTag"] == file["eTag"]
    assert len(api("GET", file["@microsoft.graph.downloadUrl"], 200).content) == file["size"]
    enumeration = api("GET", f"{drive}/root/delta?$top=1000", 200).json()
    for _ in range(5):
        link = enumeration["@odata.nextLink"].removeprefix(emulator.graph_url)
        enumeration = api("GET", link, 200).json()
        assert len(enumeration["value"]) == 1000
    # nothing of what has been shown is kept
    assert len(state.drive.items) == 1
    assert len(state.drive._awake) <= 1000 + 1
    state.clear()


def test_every_item_is_enumerated_once(api: Api, state: DriveState) -> None:
    """By delta and by walking, with the same ids, and folders before what they hold."""
    drive = f"/drives/{state.id}"
    found, _ = pages(api, f"{drive}/root/delta?$top=7")
    items = [item for page in found for item in page]
    seen: set[str] = set()
    for item in items:
        assert "root" in item or item["parentReference"]["id"] in seen
        seen.add(item["id"])
    assert len(seen) == 12 + 12 * 5 + 2
    assert all(len(page) <= 7 + 5 for page in found)
    walked = {item.id for item in state.drive.below(state.drive.root)}
    assert walked == seen
    sizes = {item["name"]: item["size"] for item in items}
    assert sizes["huge"] == sum(item["size"] for item in items if "file" in item) == sizes["root"]


def test_paging_children(api: Api, state: DriveState) -> None:
    """Files and folders together, mixed with stored ones, by name."""
    drive = f"/drives/{state.id}"
    state.put("/huge/folder 0000000/file 0000012a.txt", b"x")
    state.put("/huge/folder 0000000/zz.txt", b"x")
    found, _ = pages(api, f"{drive}/root:/huge/folder%200000000:/children?$top=2")
    names = [item["name"] for page in found for item in page]
    assert [len(page) for page in found] == [2, 2, 2, 2, 2]
    assert names == sorted(names)
    assert len(set(names)) == 10


def test_changing_one(api: Api, state: DriveState) -> None:
    """A change, a move and a deletion make an ordinary item of it, with its id, and delta tells just that."""
    drive = f"/drives/{state.id}"
    _, link = delta(api, f"{drive}/root/delta")
    files = api("GET", f"{drive}/root:/huge/folder%200000001:/children", 200).json()["value"]
    changed, moved, deleted = files[0], files[1], files[2]
    root = api("GET", f"{drive}/root", 200).json()["id"]
    new = api("PUT", f"{drive}/items/{changed['id']}/content", 200, data=b"new").json()
    assert (new["id"], new["size"]) == (changed["id"], 3)
    api("PATCH", f"{drive}/items/{moved['id']}", 200, json={"name": "m", "parentReference": {"id": root}})
    api("DELETE", f"{drive}/items/{deleted['id']}", 204)
    api("GET", f"{drive}/items/{deleted['id']}", 404)
    assert api("GET", f"{drive}/root:/m", 200).json()["id"] == moved["id"]
    api("GET", f"{drive}/root:/huge/folder%200000001/{moved['name']}", 404)
    folder = api("GET", f"{drive}/root:/huge/folder%200000001", 200).json()
    assert folder["folder"]["childCount"] == len(files) - 2
    told, link = delta(api, link)
    assert "deleted" in told.pop(deleted["id"])
    assert {item["name"] for item in told.values()} >= {changed["name"], "m", "folder 0000001", "root"}
    assert not any("file" in item for item in told.values() if item["id"] not in (changed["id"], moved["id"]))
    everything, _ = delta(api, f"{drive}/root/delta")
    assert len(everything) == 12 + 12 * 5 + 2 - 1
    assert delta(api, link)[0] == {}


def test_moving_and_deleting_folders(api: Api, state: DriveState) -> None:
    """A folder takes its crowd along, wherever it has been moved to; sizes follow."""
    drive = f"/drives/{state.id}"
    used = state.drive.used
    one = api("GET", f"{drive}/root:/huge/folder%200000001", 200).json()
    root = api("GET", f"{drive}/root", 200).json()
    api("PATCH", f"{drive}/items/{one['id']}", 200, json={"name": "one", "parentReference": {"id": root["id"]}})
    assert api("GET", f"{drive}/root:/huge", 200).json()["size"] == root["size"] - one["size"]
    inner = api("GET", f"{drive}/root:/one/folder%200000006:/children", 200).json()["value"]
    assert len(inner) == 5
    api("DELETE", f"{drive}/root:/huge", 204)
    assert api("GET", f"{drive}/items/{inner[0]['id']}", 200).json()["name"] == inner[0]["name"]
    assert state.drive.used == one["size"] < used
    api("DELETE", f"{drive}/root:/one", 204)
    api("GET", f"{drive}/items/{inner[0]['id']}", 404)
    assert state.drive.used == 0
    assert {item["name"] for item in delta(api, f"{drive}/root/delta")[0].values()} == {"root"}


def test_one_crowd_a_drive(state: DriveState) -> None:
    """A second one, or impossible numbers, are refused."""
    with pytest.raises(ValueError, match="already"):
        state.generate(folders=1, files_per_folder=1)
    state.clear()
    with pytest.raises(ValueError, match="fanout"):
        state.generate(folders=1, files_per_folder=1, fanout=1)
