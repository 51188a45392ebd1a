"""Addresses that people paste: what each form means, and that nothing pasted does more than be refused."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.config.account import CLOUDS
from davbridge.errors import ConfigError
from davbridge.graph.pasted import (
    CLOUD_NAMES,
    SUFFIXES,
    OwnDrive,
    PersonalPlace,
    SharingLink,
    SitePath,
    graph_host,
    is_personal,
    read_pasted,
)

HOST = "https://contoso.sharepoint.com"
MINE = "https://contoso-my.sharepoint.com"
LISTED = quote(f"{HOST}/sites/team/Docs", safe="")
CID = "0123456789abcdef"

NAMES = st.text(
    st.characters(
        blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co", "Cf", "Zs"), blacklist_characters='/\\:*?"<>|#%'
    ),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", "..", "Forms", "_layouts", "SitePages") and not name.lower().endswith(".aspx"))
PATHS = st.lists(NAMES, max_size=4)


@pytest.mark.parametrize(
    ("url", "names", "length"),
    [
        (HOST, (), 0),
        (f"{HOST}/", (), 0),
        (f"{HOST}/sites/team", ("sites", "team"), 2),
        (f"{HOST}/teams/A%20B/", ("teams", "A B"), 2),
        (f"{HOST}/sites/team/Shared%20Documents/x", ("sites", "team", "Shared Documents", "x"), 2),
        (f"{HOST}/sites/team/Shared Documents/x", ("sites", "team", "Shared Documents", "x"), 2),
        (f"{HOST}/sites/team/Docs/Plan.docx?web=1", ("sites", "team", "Docs", "Plan.docx"), 2),
        (f"{HOST}/sites/team/SitePages/Home.aspx", ("sites", "team"), 2),
        (f"{HOST}/sites/team/SitePages", ("sites", "team"), 2),
        (f"{HOST}/sites/team/_layouts/15/viewlsts.aspx?view=14", ("sites", "team"), 2),
        (f"{HOST}/sites/team/Docs/Forms/AllItems.aspx", ("sites", "team", "Docs"), 2),
        (
            f"{HOST}/sites/team/Docs/Forms/AllItems.aspx?id=%2Fsites%2Fteam%2FDocs%2FA%20B&viewid=1",
            ("sites", "team", "Docs", "A B"),
            2,
        ),
        (
            f"{HOST}/sites/team/Docs/Forms/My.aspx?RootFolder=/sites/team/Docs/A",
            ("sites", "team", "Docs", "A"),
            2,
        ),
        (f"{HOST}/:f:/r/sites/team/Docs/A?csf=1&web=1", ("sites", "team", "Docs", "A"), 2),
        (f"{HOST}/:x:/r/sites/team/Docs/A/b.xlsx?d=w1&csf=1", ("sites", "team", "Docs", "A", "b.xlsx"), 2),
        (f"{HOST}/%3Af%3A/r/sites/team/Docs", ("sites", "team", "Docs"), 2),
        (f"{HOST}/Docs", ("Docs",), 0),
        (f"{HOST}/sites/team/start.aspx#/Docs", ("sites", "team"), 2),
        (
            f"{MINE}/my?id=%2Fsites%2Fteam%2FDocs&listurl=" + quote(f"{HOST}/sites/team/Docs", safe=""),
            ("sites", "team", "Docs"),
            2,
        ),
        (" <HTTPS://Contoso.SharePoint.com/sites/team> ", ("sites", "team"), 2),
        ("contoso.sharepoint.com/sites/team", ("sites", "team"), 2),
        ("http://contoso.sharepoint.com", (), 0),
    ],
)
def test_places(url: str, names: tuple[str, ...], length: int) -> None:
    """Every form gives the host, the decoded names, and how many of them are the site's."""
    pasted = read_pasted(url)
    assert isinstance(pasted, SitePath)
    assert (pasted.host, pasted.names, pasted.site_length) == ("contoso.sharepoint.com", names, length)


@pytest.mark.parametrize(
    ("url", "names"),
    [
        (f"{MINE}/personal/alice_contoso_com/Documents/A", ("personal", "alice_contoso_com", "Documents", "A")),
        (f"{MINE}/personal/alice_contoso_com/_layouts/15/onedrive.aspx", ("personal", "alice_contoso_com")),
        (
            f"{MINE}/my?id=%2Fpersonal%2Falice_contoso_com%2FDocuments%2FA",
            ("personal", "alice_contoso_com", "Documents", "A"),
        ),
        (
            f"{MINE}/personal/alice_contoso_com/_layouts/15/onedrive.aspx?id=%2Fpersonal%2Falice_contoso_com%2FDocuments",
            ("personal", "alice_contoso_com", "Documents"),
        ),
    ],
)
def test_a_persons_site(url: str, names: tuple[str, ...]) -> None:
    """OneDrive for work or school is a site of its own on the tenant's other host."""
    pasted = read_pasted(url)
    assert isinstance(pasted, SitePath)
    assert (pasted.host, pasted.names, pasted.site_length) == ("contoso-my.sharepoint.com", names, 2)


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/:f:/s/team/EkQ1?e=abc",
        f"{HOST}/:x:/t/team/EkQ1",
        f"{HOST}/:w:/g/personal/alice/EkQ1",
        f"{MINE}/:f:/g/personal/alice_contoso_com/EkQ1?e=5",
        f"{HOST}/sites/team/_layouts/15/Doc.aspx?sourcedoc=%7B1%7D&file=a.docx",
        f"{HOST}/:w:/r/sites/team/_layouts/15/Doc.aspx?sourcedoc=%7B1%7D&file=a.docx",
        f"{HOST}/sites/team/_layouts/15/guestaccess.aspx?share=EkQ1",
        "https://1drv.ms/f/s!AkQ1",
        "https://1drv.ms/f/c/0123456789abcdef/EkQ1?e=2",
        "1drv.ms/u/s!AkQ1",
        f"https://onedrive.live.com/?id={CID}%21105&cid={CID}&authkey=!A",
        "https://onedrive.live.com/?redeem=aHR0&cid=1",
        f"https://onedrive.live.com/:f:/g/personal/{CID}/EkQ1",
    ],
)
def test_sharing_links(url: str) -> None:
    """What only Microsoft can read stays whole."""
    pasted = read_pasted(url)
    assert isinstance(pasted, SharingLink)
    assert pasted.url == (url if url.startswith("https") else f"https://{url}")


@pytest.mark.parametrize(
    ("url", "item", "names"),
    [
        (f"https://onedrive.live.com/?id={CID.upper()}%21105&cid={CID}", f"{CID.upper()}!105", ()),
        (f"https://onedrive.live.com/redir?resid={CID}!105", f"{CID}!105", ()),
        (f"https://onedrive.live.com/?cid={CID}", "", ()),
        (f"https://onedrive.live.com/?id=root&cid={CID}", "", ()),
        ("https://onedrive.live.com/?cid=123456789abcdef&id=root", "", ()),
        (f"https://onedrive.live.com/?id=%2Fpersonal%2F{CID}%2FDocuments%2FA%20B", "", ("A B",)),
        (f"https://my.microsoftpersonalcontent.com/personal/{CID}/Documents/A", "", ("A",)),
        (f"https://d.docs.live.net/{CID}/A%20B/c.txt", "", ("A B", "c.txt")),
    ],
)
def test_personal_places(url: str, item: str, names: tuple[str, ...]) -> None:
    """A personal OneDrive's id has its sixteen digits, whatever got lost on the way."""
    pasted = read_pasted(url)
    assert isinstance(pasted, PersonalPlace)
    assert (pasted.drive_id, pasted.item_id, pasted.names) == (CID, item, names)
    assert is_personal(pasted)


@pytest.mark.parametrize(
    "url",
    [
        MINE,
        f"{MINE}/my",
        f"{MINE}/_layouts/15/onedrive.aspx",
        "https://onedrive.live.com",
        "https://onedrive.live.com/?view=0",
    ],
)
def test_first_pages(url: str) -> None:
    """They show whoever looks their own drive."""
    assert isinstance(read_pasted(url), OwnDrive)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "https://"),
        ("https://", "https://"),
        ("ftp://contoso.sharepoint.com", "https://"),
        ("example.com/sites/team", "https://"),
        ("https://[::1", "not an address"),
        ("https://contoso.sharepoint.com/a\nb", "characters"),
        (f"{HOST}/sites/../x", "cannot be read"),
        ("https://contoso-admin.sharepoint.com/", "admin center"),
        ("https://teams.microsoft.com/l/channel/1", "Open in SharePoint"),
        ("https://www.office.com/launch/onedrive", "Open in SharePoint"),
        ("https://1drv.ms/", "beginning of a sharing link"),
        ("https://onedrive.live.com/?cid=nobody", "names no OneDrive"),
    ],
)
def test_no_address(url: str, words: str) -> None:
    """What cannot be meant is refused with what to paste instead."""
    with pytest.raises(ConfigError, match=words):
        read_pasted(url)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("contoso.sharepoint.com", "graph.microsoft.com"),
        ("contoso.sharepoint.us", "graph.microsoft.us"),
        ("contoso.sharepoint-mil.us", "dod-graph.microsoft.us"),
        ("contoso.sharepoint.cn", "microsoftgraph.chinacloudapi.cn"),
        ("onedrive.live.com", "graph.microsoft.com"),
        ("sharepoint.example.com", ""),
        ("contoso.sharepoint.com.example.com", ""),
        ("evilsharepoint.com", ""),
    ],
)
def test_clouds(host: str, expected: str) -> None:
    """The host tells the cloud, and only a host below Microsoft's own names does."""
    assert graph_host(read_pasted(f"https://{host}/sites/team")) == expected


@given(PATHS)
def test_a_folders_forms_mean_the_same(folders: list[str]) -> None:
    """The plain address, the page with `id=`, and the link that says how to open it give the same names."""
    path = "/".join(["/sites/team/Docs", *folders])
    forms = (
        f"{HOST}{quote(path)}",
        f"{HOST}/:f:/r{quote(path)}?csf=1&web=1",
        f"{HOST}/sites/team/Docs/Forms/AllItems.aspx?id={quote(path, safe='')}&viewid=1",
        f"{HOST}/sites/team/Docs/Forms/AllItems.aspx?RootFolder={quote(path, safe='')}",
        f"{MINE}/my?id={quote(path, safe='')}&listurl={quote(HOST + '/sites/team/Docs', safe='')}",
    )
    wanted = ("sites", "team", "Docs", *folders)
    for form in forms:
        pasted = read_pasted(form)
        assert isinstance(pasted, SitePath)
        assert (pasted.host, pasted.names) == ("contoso.sharepoint.com", wanted)


@given(
    st.sampled_from(
        [
            "",
            "https://",
            "http://",
            HOST,
            MINE,
            f"{HOST}/sites/team/",
            "https://onedrive.live.com/?id=",
            "https://1drv.ms/",
        ]
    ),
    st.text(max_size=60),
)
def test_anything_may_be_pasted(start: str, rest: str) -> None:
    """It is taken apart, or refused in one sentence; names are never empty, nor lead upwards."""
    try:
        pasted = read_pasted(start + rest)
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    assert pasted.url.startswith("https://")
    for name in getattr(pasted, "names", ()):
        assert name not in ("", ".", "..")
        assert "/" not in name
    graph_host(pasted)


def test_the_clouds_are_those_of_the_configuration() -> None:
    """What a message tells people to write is what the configuration takes, for each cloud that has addresses."""
    assert {urlsplit(cloud.graph).hostname: name for name, cloud in CLOUDS.items()} == CLOUD_NAMES
    assert set(SUFFIXES.values()) == set(CLOUD_NAMES)
