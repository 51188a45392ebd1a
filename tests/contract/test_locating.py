"""What pasted addresses lead to at Graph, and the reason when they lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.clock import SystemClock
from davbridge.drivers.locating import Located, NoPermission, locate
from davbridge.drivers.sharepoint import SharePoint
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from davbridge.errors import ConfigError
from davbridge.graph.client import Graph
from davbridge.graph.pasted import read_pasted
from davbridge.mirror.folder import Mirrors
from tests.contract.places import names

HOST, MINE = "https://contoso.sharepoint.com", "https://contoso-my.sharepoint.com"
PERSON = f"{MINE}/personal/alice_contoso_onmicrosoft_com"


@pytest.fixture(autouse=True)
def _files(emulator: Emulator) -> None:
    """The same folder in each drive."""
    for name in ("business", "personal", "personal-migrated", "documents", "archive", "design"):
        emulator.drive(name).put("/Plans/2026/a.txt", b"a")


def find(graph: Graph, url: str) -> Located:
    """What is behind a pasted address."""
    return locate(graph, read_pasted(url))


def link(emulator: Emulator, graph: Graph, drive: str, path: str) -> str:
    """A sharing link as the emulated service makes it."""
    state = emulator.drive(drive)
    kind = {"type": "view", "scope": "anonymous"}
    made = graph.call("POST", f"/drives/{state.id}/items/{state.item(path).id}/createLink", body=kind)
    return str(made.json()["link"]["webUrl"])


@pytest.mark.parametrize(
    ("url", "drive", "path", "site"),
    [
        (f"{HOST}/sites/team", "documents", "/", "Team"),
        (f"{HOST}/sites/team/Archive/Plans", "archive", "/Plans", "Team"),
        (f"{HOST}/sites/team/Shared%20Documents/Plans/2026/a.txt", "documents", "/Plans/2026/a.txt", "Team"),
        (f"{HOST}/sites/team/design", "design", "/", "Design"),
        (f"{HOST}/sites/team/design/SitePages/Home.aspx", "design", "/", "Design"),
        (f"{HOST}/sites/team/design/Shared%20Documents/Plans", "design", "/Plans", "Design"),
        (f"{HOST}/:f:/r/sites/team/Archive/Plans/2026?csf=1", "archive", "/Plans/2026", "Team"),
        (f"{PERSON}/Documents/Plans", "business", "/Plans", "alice"),
        (f"{PERSON}/_layouts/15/onedrive.aspx", "business", "/", "alice"),
        (
            f"{MINE}/my?id=%2Fpersonal%2Falice_contoso_onmicrosoft_com%2FDocuments%2FPlans",
            "business",
            "/Plans",
            "alice",
        ),
        (MINE, "business", "/", None),
    ],
)
def test_addresses(emulator: Emulator, graph: Graph, url: str, drive: str, path: str, site: str | None) -> None:
    """Sites, sites in sites, libraries, folders, files and OneDrive's own pages."""
    found = find(graph, url)
    assert (found.drive.id, str(found.path), str(found.whole)) == (emulator.drive(drive).id, path, path)
    assert (found.site.name if found.site else None) == site


@pytest.mark.parametrize("drive", ["business", "personal", "personal-migrated", "documents", "design"])
@pytest.mark.parametrize("path", ["/", "/Plans/2026", "/Plans/2026/a.txt"])
def test_sharing_links(emulator: Emulator, graph: Graph, drive: str, path: str) -> None:
    """A link gives drive, item and whole path; a library's also its site."""
    found = find(graph, link(emulator, graph, drive, path) + "?e=x1")
    assert found.base is not None
    assert found.base.item_id == emulator.drive(drive).item(path).id
    assert str(found.whole) == path
    assert (found.site.name if found.site else "") == {"documents": "Team", "design": "Design"}.get(drive, "")


def test_an_address_of_office(emulator: Emulator, graph: Graph) -> None:
    """Office in the browser names a file by an id of its own."""
    item = emulator.drive("design").item("/Plans/2026/a.txt")
    url = f"{HOST}/:w:/r/sites/team/design/_layouts/15/Doc.aspx?sourcedoc=%7B{item.guid}%7D&file=a.txt&action=default"
    found = find(graph, url)
    assert (found.drive.id, str(found.whole)) == (emulator.drive("design").id, "/Plans/2026/a.txt")


@pytest.mark.parametrize("drive", ["personal", "personal-migrated"])
def test_personal_places(emulator: Emulator, graph: Graph, drive: str) -> None:
    """By the item's id, and by names; a drive id that has lost its first digit gets it back."""
    state = emulator.drive(drive)
    item = state.item("/Plans/2026")
    found = find(graph, f"https://onedrive.live.com/?id={item.id}&cid={state.id[1:]}")
    assert found.drive.id == state.id
    assert found.base is not None
    assert (found.base.item_id, str(found.whole)) == (item.id, "/Plans/2026")
    found = find(graph, f"https://d.docs.live.net/{state.id[1:]}/Plans")
    assert (found.drive.id, str(found.path)) == (state.id, "/Plans")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{HOST}/sites/teem", "no site 'sites/teem' on contoso.sharepoint.com"),
        (f"{HOST}/sites/team/Nothing", "its libraries are 'Documents', 'Archive'"),
        (f"{HOST}/sites/team/design/Nothing", "not a library of the site 'Design'"),
        ("https://fabrikam.sharepoint.com/sites/team", "another tenant: this account's SharePoint is contoso"),
        ("https://fabrikam-my.sharepoint.com/:f:/g/personal/bob/Ex", "another tenant"),
        (f"{HOST}/:f:/s/team/Enothing", "the link on contoso.sharepoint.com leads nowhere"),
        ("https://1drv.ms/f/s!Anothing", "the link on 1drv.ms leads nowhere"),
        ("https://onedrive.live.com/?cid=1111111111111111&id=root", "one of a personal OneDrive"),
        (HOST, "has no library that the account can see"),
    ],
)
def test_nowhere(graph: Graph, url: str, words: str) -> None:
    """One sentence says why, and what to do."""
    with pytest.raises(ConfigError) as caught:
        find(graph, url)
    assert words in str(caught.value)
    assert "Enothing" not in str(caught.value)


def test_no_permission(emulator: Emulator, graph: Graph) -> None:
    """A site that the account may not see, and one for which the app lacks a permission, are told apart."""
    with pytest.raises(NoPermission, match="a person must be a member of it"):
        find(graph, f"{HOST}/teams/closed")
    emulator.faults.add("get drive or site", Status(403, code="Authorization_RequestDenied"))
    with pytest.raises(NoPermission, match="lacks a permission"):
        find(graph, emulator.site_url)
    emulator.faults.add("get drive or site", Status(403, code="accessDenied"))
    with pytest.raises(NoPermission, match="may not see"):
        find(graph, emulator.site_url)


def test_clouds(emulator: Emulator, graph: Graph) -> None:
    """An address of another cloud, or of none, is refused before anybody is asked."""
    graph.base = "https://graph.microsoft.com/v1.0"
    with emulator.calls.counting() as counted:
        for url, words in (
            ("https://contoso.sharepoint.cn/sites/team", "`cloud: china`"),
            ("https://contoso.sharepoint-mil.us", "`cloud: us_gov_dod`"),
            ("https://files.example.com/sites/team", "no host of SharePoint"),
        ):
            with pytest.raises(ConfigError, match=words):
                find(graph, url)
    assert not counted.calls


def test_an_address_is_remembered(emulator: Emulator, graph: Graph, tmp_path: Path) -> None:
    """The next start asks for the drive itself; when it is gone, or its root, the address is asked again."""
    mirrors = Mirrors(tmp_path, SystemClock())

    def start(site: str, root: str = "/Plans") -> int:
        driver = SharePoint.open(graph, site=site, root=root, clock=graph.clock, mirrors=mirrors, account="contoso")
        with emulator.calls.counting() as counted:
            driver.probe()
        assert names(driver, "/") == ({"2026"} if root == "/Plans" else {"a.txt"})
        return counted.graph

    shared = link(emulator, graph, "archive", "/Plans")
    for site, root in ((f"{HOST}/sites/team/Archive", "/Plans"), (shared, "/2026")):
        assert start(site, root) >= 3
        assert start(site, root) == 2
    for file in tmp_path.glob("*.address"):
        assert file.stat().st_mode & 0o077 == 0
        assert shared not in file.read_text()
        file.write_text(file.read_text().replace(emulator.drive("archive").id, "b!" + "0" * 60))
    assert start(f"{HOST}/sites/team/Archive") > 2
    assert start(shared, "/2026") > 2
    next(iter(tmp_path.glob("*.address"))).write_text("[1]")
    assert start(f"{HOST}/sites/team/Archive") >= 2
    mirrors.close()
