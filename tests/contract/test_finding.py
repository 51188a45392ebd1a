"""How the drivers find their drive and root, and what they say when they don't."""

from __future__ import annotations

import pytest

from davbridge.drivers.onedrive import OneDrive
from davbridge.drivers.sharepoint import SharePoint
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Action, Html, Status
from davbridge.errors import BadUpstream, BridgeError, ConfigError, Forbidden
from davbridge.graph.client import Graph
from davbridge.paths import ROOT
from tests.contract.places import names, p, put

LIBRARY = "/Shared%20Documents"


@pytest.fixture(autouse=True)
def _files(emulator: Emulator) -> None:
    """Something to be found."""
    emulator.drive("business").put("/Plans/Deep/b.txt", b"b")
    emulator.drive("documents").put("/Projects/d.txt", b"d")
    emulator.drive("archive").put("/Old/a.txt", b"a")


def test_onedrive(emulator: Emulator, graph: Graph) -> None:
    """The signed-in person's drive, and a folder of it."""
    assert names(OneDrive.open(graph, clock=graph.clock), "/") == {"Plans"}
    driver = OneDrive.open(graph, root="/plans/Deep/", clock=graph.clock)
    assert names(driver, "/") == {"b.txt"}
    assert "business drive" in driver.probe()
    assert "/plans/Deep" in driver.probe()
    other = OneDrive.open(graph, user=emulator.user, clock=graph.clock)
    assert other.stat(ROOT).id == OneDrive.open(graph, clock=graph.clock).stat(ROOT).id


def test_root_folder_is_the_whole_world(emulator: Emulator, graph: Graph) -> None:
    """Below a root folder everything works as in a drive's root."""
    driver = OneDrive.open(graph, root="/Plans/Deep", clock=graph.clock)
    put(driver, "/new.txt")
    driver.make_folder(p("/d"))
    driver.move(p("/new.txt"), p("/d/x.txt"), replace=False)
    driver.move(p("/d/x.txt"), p("/y.txt"), replace=False)
    driver.copy(p("/y.txt"), p("/z.txt"), replace=False)
    assert set(emulator.drive("business").tree()) == {
        "/Plans",
        "/Plans/Deep",
        "/Plans/Deep/b.txt",
        "/Plans/Deep/d",
        "/Plans/Deep/y.txt",
        "/Plans/Deep/z.txt",
    }


@pytest.mark.parametrize(
    ("suffix", "library", "root", "expected"),
    [
        ("", None, "/", {"Projects"}),
        ("/", "documents", "/Projects", {"d.txt"}),
        ("", "Shared Documents", "/", {"Projects"}),
        ("", "Archive", "/", {"Old"}),
        ("/Archive", None, "/", {"Old"}),
        ("/Archive/Old", None, "/", {"a.txt"}),
        ("/Archive/Forms/AllItems.aspx", None, "/Old", {"a.txt"}),
        (
            "/Shared%20Documents/Forms/AllItems.aspx?id=%2Fsites%2Fteam%2FShared%20Documents%2FProjects",
            None,
            "/",
            {"d.txt"},
        ),
    ],
)
def test_sharepoint(
    emulator: Emulator, graph: Graph, suffix: str, library: str | None, root: str, expected: set[str]
) -> None:
    """A site, library or folder URL, with a library's name and a root folder where given."""
    site = emulator.site_url + suffix
    driver = SharePoint.open(graph, site=site, library=library, root=root, clock=graph.clock)
    assert names(driver, "/") == expected
    assert "documentLibrary drive" in driver.probe()


def test_sharepoint_by_drive_id(emulator: Emulator, graph: Graph) -> None:
    """A drive id needs no site."""
    drive_id = emulator.drive("archive").id
    driver = SharePoint.open(graph, site=emulator.site_url, drive_id=drive_id, clock=graph.clock)
    assert names(driver, "/") == {"Old"}


@pytest.mark.parametrize(
    ("suffix", "library", "drive_id", "root", "words"),
    [
        ("-none", None, None, "/", "no site 'sites/team-none'"),
        ("", "Nothing", None, "/", "no library 'Nothing'; its libraries are 'Documents', 'Archive'"),
        ("/Nothing", None, None, "/", "its libraries are 'Documents', 'Archive'"),
        ("", None, "b!nothing", "/", "no drive with the id"),
        ("", None, None, "/Nothing", "root folder /Nothing of drive 'Documents' does not exist"),
        ("", None, None, "/Projects/d.txt", "is not a folder"),
    ],
)
def test_not_found(
    emulator: Emulator,
    graph: Graph,
    suffix: str,
    library: str | None,
    drive_id: str | None,
    root: str,
    words: str,
) -> None:
    """One sentence says what is missing and what there is."""
    site = emulator.site_url + suffix
    driver = SharePoint.open(graph, site=site, library=library, drive_id=drive_id, root=root, clock=graph.clock)
    with pytest.raises(ConfigError) as caught:
        driver.probe()
    assert words in str(caught.value)


def test_unknown_person(graph: Graph) -> None:
    """A person who has no OneDrive is named."""
    with pytest.raises(ConfigError, match="nobody@contoso"):
        OneDrive.open(graph, user="nobody@contoso.onmicrosoft.com", clock=graph.clock).probe()


def test_a_onedrive_that_the_app_may_not_see(emulator: Emulator, graph: Graph) -> None:
    """An app with sites alone is told which permission opens a OneDrive, and whose it was."""
    emulator.faults.add("get drive or site", Status(403, body=b'{"error":{"code":"accessDenied","message":"no"}}'))
    with pytest.raises(Forbidden, match=f"OneDrive of '{emulator.user}': .*Sites.Selected opens none"):
        OneDrive.open(graph, user=emulator.user, clock=graph.clock).probe()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Html(200), BadUpstream), (Status(418), BadUpstream), (Status(400, code="invalidRequest"), ConfigError)],
)
def test_no_mistake_of_the_configuration(
    emulator: Emulator, graph: Graph, fault: Action, expected: type[BridgeError]
) -> None:
    """Graph's 400 means that there is no such drive for this account; any other nonsense is told as what it is."""
    for driver in (
        OneDrive.open(graph, clock=graph.clock),
        SharePoint.open(graph, site=emulator.site_url, clock=graph.clock),
        SharePoint.open(graph, site="", drive_id=emulator.drive("archive").id, clock=graph.clock),
    ):
        emulator.faults.add("get drive or site", fault)
        with pytest.raises(BridgeError) as caught:
            driver.probe()
        assert type(caught.value) is expected
