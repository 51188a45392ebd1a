"""Sites, and what is behind sharing links (facts: Graph §1.2, §2.9)."""

from __future__ import annotations

import base64

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api
from tests.emulator.test_items import put

HOST, MINE = "contoso.sharepoint.com", "contoso-my.sharepoint.com"
PERSON = "personal/alice_contoso_onmicrosoft_com"


def share(url: str) -> str:
    """An address as a share id."""
    return "u!" + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_sites_in_sites(api: Api) -> None:
    """A site in a site has libraries of its own, and a person's OneDrive is a site on the other host."""
    inner = api("GET", f"/sites/{HOST}:/sites/team/design", 200).json()
    outer = api("GET", f"/sites/{HOST}:/sites/team", 200).json()
    assert inner["id"].split(",")[:2] == outer["id"].split(",")[:2]
    assert inner["id"] != outer["id"]
    assert [one["name"] for one in api("GET", f"/sites/{inner['id']}/drives", 200).json()["value"]] == ["Documents"]
    (drive,) = api("GET", f"/sites/{MINE}:/{PERSON}:/drives", 200).json()["value"]
    assert drive["id"] == api("GET", "/me/drive", 200).json()["id"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/sites/{HOST}:/sites/none", 404, "itemNotFound"),
        (f"/sites/{HOST}:/sites/team/none", 404, "itemNotFound"),
        (f"/sites/{HOST}:/teams/closed", 403, "accessDenied"),
        ("/sites/fabrikam.sharepoint.com:/sites/team", 400, "invalidRequest"),
        ("/sites/fabrikam.sharepoint.com", 400, "invalidRequest"),
        (f"/sites/{MINE}:/sites/team", 404, "itemNotFound"),
        ("/sites", 400, "invalidRequest"),
        ("/shares/u!AAAA", 404, "itemNotFound"),
    ],
)
def test_what_is_no_site(api: Api, path: str, status: int, code: str) -> None:
    """What is not there, what is closed, and a host of somebody else's are three answers."""
    assert api("GET", path, status).json()["error"]["code"] == code


def test_search(api: Api, emulator: Emulator) -> None:
    """In pages, by words of name and address; nothing that is closed, and nobody's OneDrive."""
    names, following = [], "/sites?search=*"
    pages = 0
    while following:
        page = api("GET", following.removeprefix(emulator.graph_url), 200).json()
        names += [one["displayName"] for one in page["value"]]
        following, pages = page.get("@odata.nextLink", ""), pages + 1
    assert (sorted(names), pages) == (["Communication site", "Design", "Team"], 2)
    found = api("GET", "/sites?search=design", 200).json()["value"]
    assert [one["displayName"] for one in found] == ["Design"]
    assert api("GET", "/me/followedSites", 200).json()["value"]


def test_a_sign_in_without_sites(api: Api, emulator: Emulator) -> None:
    """Files of one's own, yes; sites, no."""
    api.token = emulator.entra.issue(emulator.user, scope=f"{emulator.graph_url[:-5]}/Files.ReadWrite.All")
    api("GET", "/me/drive", 200)
    for path in ("/sites/root", "/sites?search=*", f"/sites/{HOST}:/sites/team", "/me/followedSites"):
        assert api("GET", path, 403).json()["error"]["code"] == "accessDenied"
    api.token = emulator.entra.issue(emulator.user, scope=f"{emulator.graph_url[:-5]}/Sites.Read.All")
    api("GET", "/sites/root", 200)


def test_links_open(api: Api, emulator: Emulator, drive: str) -> None:
    """A link that was made leads to its item, with what is appended to it, until it is deleted."""
    item = put(api, drive, "a.txt")
    url = f"{drive}/items/{item['id']}"
    made = api("POST", url + "/createLink", 201, json={"type": "view", "scope": "anonymous"}).json()
    assert made["shareId"] == share(made["link"]["webUrl"])
    for address in (made["link"]["webUrl"], made["link"]["webUrl"] + "?e=x"):
        assert api("GET", f"/shares/{share(address)}/driveItem", 200).json()["id"] == item["id"]
    api("DELETE", f"{url}/permissions/{made['id']}", 204)
    api("GET", f"/shares/{made['shareId']}/driveItem", 404)


def test_the_site_of_a_share(api: Api, emulator: Emulator) -> None:
    """A library's is told, also of an item's own address and of Office's; a personal drive lies in none."""
    item = emulator.drive("design").put("/a.docx", b"a")
    base = f"https://{HOST}/sites/team/design"
    for address in (f"{base}/Shared%20Documents/a.docx", f"{base}/_layouts/15/Doc.aspx?sourcedoc=%7B{item.guid}%7D"):
        assert api("GET", f"/shares/{share(address)}/site", 200).json()["displayName"] == "Design"
    api("GET", f"/shares/{share(base + '/Shared%20Documents/none')}/site", 404)
    emulator.drive("personal").put("/b.txt", b"b")
    personal = emulator.drive("personal").drive.web_url
    assert api("GET", f"/shares/{share(personal + '/b.txt')}/driveItem", 200).json()["name"] == "b.txt"
    api("GET", f"/shares/{share(personal + '/b.txt')}/site", 404)
