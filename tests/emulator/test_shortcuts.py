"""Shortcuts to folders of other drives (facts: Graph §2.9), and the ways in which personal drives name themselves."""

from __future__ import annotations

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api

PREFER = {"Prefer": "Include-Feature=AddToOneDrive"}


def test_a_shortcut(api: Api, emulator: Emulator, business: str) -> None:
    """An item with remoteItem that is neither file nor folder; seen by who asks for it, and gone without its target."""
    documents = emulator.drive("documents")
    documents.put("/shared/a.txt", b"abc")
    target = documents.item("/shared")
    body = {"name": "short", "remoteItem": {"id": target.id, "parentReference": {"driveId": documents.id}}}
    made = api("POST", f"{business}/root/children", 201, json=body).json()
    assert "folder" not in made
    assert "size" not in made
    assert made["remoteItem"]["parentReference"]["driveId"] == documents.id
    assert made["remoteItem"]["folder"]["childCount"] == 1
    api("POST", f"{business}/root/children", 409, json=body)
    for url in (f"{business}/root/children", f"{business}/root/children?$select=name", f"{business}/root/delta"):
        names = [item["name"] for item in api("GET", url, 200).json()["value"]]
        asked = [item["name"] for item in api("GET", url, 200, headers=PREFER).json()["value"]]
        assert ("short" in names, "short" in asked) == (False, True)
    api("GET", f"{business}/items/{made['id']}/children", 400)
    api("GET", f"{business}/root:/short/a.txt", 404)
    api("PUT", f"{business}/root:/short:/content", 409, data=b"x")
    api("DELETE", f"{business}/items/{made['id']}", 204)
    assert documents.read("/shared/a.txt") == b"abc"


def test_shortcuts_stand_in_the_root(api: Api, emulator: Emulator, business: str) -> None:
    """And nowhere else; one to nothing is not found."""
    documents = emulator.drive("documents")
    there = {"parentReference": {"driveId": documents.id}, "id": documents.mkdir("/shared").id}
    emulator.drive("business").mkdir("/d")
    api("POST", f"{business}/root:/d:/children", 400, json={"name": "s", "remoteItem": there})
    api("POST", f"{business}/root/children", 404, json={"name": "s", "remoteItem": {**there, "id": "none"}})


def test_a_target_that_has_gone(api: Api, emulator: Emulator, business: str) -> None:
    """The shortcut stays, and tells no more than where it led."""
    documents = emulator.drive("documents")
    documents.mkdir("/shared")
    item = emulator.drive("business").shortcut("s", documents, "/shared")
    documents.delete("/shared")
    assert "folder" not in api("GET", f"{business}/items/{item.id}", 200).json()["remoteItem"]


def test_ids_that_lose_digits(api: Api, emulator: Emulator, personal: str) -> None:
    """References may tell the drive's id in lower case with fifteen digits; only sixteen are an address."""
    drive_id = emulator.drive("personal").id
    emulator.quirks.short_drive_ids = True
    told = api("GET", f"{personal}/root", 200).json()["parentReference"]["driveId"]
    assert told == drive_id.lower().lstrip("0")
    assert len(told) < 16
    api("GET", f"/drives/{told}/root", 400)
    api("GET", f"/drives/{told.zfill(16)}/root", 200)
