"""Links and permissions (facts: Graph §4.7)."""

from __future__ import annotations

import pytest

from tests.emulator.conftest import Api
from tests.emulator.test_items import put


def test_links(api: Api, drive: str) -> None:
    """201, then 200 for the same; listed beside the owner; gone when deleted."""
    item = put(api, drive, "a.txt")
    url = f"{drive}/items/{item['id']}"
    made = api("POST", url + "/createLink", 201, json={"type": "view", "scope": "anonymous"}).json()
    assert made["link"]["webUrl"].startswith("https://")
    again = api("POST", url + "/createLink", 200, json={"type": "view", "scope": "anonymous"}).json()
    assert again["id"] == made["id"]
    listed = api("GET", url + "/permissions", 200).json()["value"]
    assert [one["roles"] for one in listed] == [["owner"], ["read"]]
    assert api("GET", f"{url}/permissions/{made['id']}", 200).json()["id"] == made["id"]
    api("DELETE", f"{url}/permissions/{listed[0]['id']}", 400)
    api("DELETE", f"{url}/permissions/{made['id']}", 204)
    api("GET", f"{url}/permissions/{made['id']}", 404)


@pytest.mark.parametrize(
    ("body", "on_business", "on_personal"),
    [
        ({"type": "embed", "scope": "anonymous"}, 400, 201),
        ({"type": "view", "scope": "organization"}, 201, 400),
        ({"type": "own"}, 400, 400),
        ({"type": "view", "scope": "everybody"}, 400, 400),
    ],
)
def test_which_links_there_are(
    api: Api, business: str, personal: str, body: dict, on_business: int, on_personal: int
) -> None:
    """Embedding is personal, organizations are business."""
    for drive, status in ((business, on_business), (personal, on_personal)):
        put(api, drive, "a.txt")
        api("POST", f"{drive}/root:/a.txt:/createLink", status, json=body)
