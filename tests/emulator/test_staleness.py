"""Eventual consistency (facts: Graph §12.2), and names that are the same to a drive (§9.3)."""

from __future__ import annotations

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api
from tests.emulator.test_items import code, put


def names(api: Api, drive: str) -> list[str]:
    """The root's children."""
    return sorted(item["name"] for item in api("GET", f"{drive}/root/children", 200).json()["value"])


def test_stale_views(api: Api, emulator: Emulator, drive: str) -> None:
    """Listings and paths show the names of some seconds ago; ids, delta and conflicts those of now."""
    renamed, deleted = put(api, drive, "renamed"), put(api, drive, "deleted")
    emulator.clock.advance(100)
    emulator.quirks.stale_seconds = 30
    created = put(api, drive, "created")
    api("PATCH", f"{drive}/items/{renamed['id']}", 200, json={"name": "new"})
    api("DELETE", f"{drive}/items/{deleted['id']}", 204)
    assert names(api, drive) == ["deleted", "renamed"]
    assert api("GET", f"{drive}/root:/renamed", 200).json()["id"] == renamed["id"]
    api("GET", f"{drive}/root:/deleted", 200)
    for name in ("new", "created"):
        api("GET", f"{drive}/root:/{name}", 404)
    assert api("GET", f"{drive}/items/{renamed['id']}", 200).json()["name"] == "new"
    api("GET", f"{drive}/items/{created['id']}", 200)
    api("GET", f"{drive}/items/{deleted['id']}", 404)
    assert api("GET", f"{drive}/root/search(q='created')", 200).json()["value"] == []
    again = {"name": "created", "folder": {}}
    assert code(api("POST", f"{drive}/root/children", 409, json=again)) == "nameAlreadyExists"
    assert {item["name"] for item in api("GET", f"{drive}/root/delta", 200).json()["value"]} == {
        "root",
        "new",
        "created",
    }
    emulator.clock.advance(31)
    assert names(api, drive) == ["created", "new"]
    api("GET", f"{drive}/root:/deleted", 404)


def test_ligatures_on_personal_drives(api: Api, business: str, personal: str) -> None:
    """There `æ` and `ae` are one name; on business drives they are two."""
    for drive, status in ((business, 201), (personal, 200)):
        put(api, drive, "M%C3%A6rsk")
        put(api, drive, "maersk", b"x", status)


def test_both_spellings_of_the_inner_error(api: Api, business: str) -> None:
    """The content host writes it small."""
    url = api("POST", f"{business}/root:/a:/createUploadSession", 200, json={}).json()["uploadUrl"]
    error = api("PUT", url, 400, data=b"x").json()["error"]
    assert "innererror" in error
    assert "innerError" not in error
    assert "innerError" in api("GET", f"{business}/root:/none", 404).json()["error"]
