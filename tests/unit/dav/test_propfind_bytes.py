"""PROPFIND's fast ways against the slow and plain one, over generated trees."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from davbridge.clock import ManualClock
from davbridge.dav.propfind import answer
from davbridge.dav.propfind.prepared import Prepared
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.protocol import Changes, Item, Times
from davbridge.drivers.sidestore import side_user
from davbridge.errors import NameRefused
from davbridge.paths import ROOT, DavPath, check_name, fold
from davbridge.store.database import Database
from tests.support.memory import Drive, Told, open_state
from tests.support.multistatus import CS, Asked, D, Place, body_of, expected, segment, shape

AGENTS = ("", "rclone/v1.70", "Microsoft-WebDAV-MiniRedir/10.0.19045", "WebDAVFS/3.0 Darwin/24.4.0 (arm64)")
NAMES = [
    *(D + name for name in ("creationdate", "displayname", "getcontentlength", "getcontenttype", "getetag")),
    *(D + name for name in ("getlastmodified", "resourcetype", "iscollection", "isFolder", "ishidden", "isreadonly")),
    *(D + name for name in ("lockdiscovery", "supportedlock", "quota-available-bytes", "quota-used-bytes")),
    *(D + name for name in ("sync-token", "supported-report-set", "nobody-has-this")),
    *(CS + "getctag", "{urn:x}a", "{urn:y}d", "e"),
]


class Followed(MemoryDriver):
    """A drive whose changes somebody follows."""

    token = "7-9"

    def sync_token(self) -> str:
        return self.token

    def changes(self, path: DavPath, since: str, *, deep: bool, limit: int | None = None) -> Changes:
        raise NotImplementedError


def storable(name: str) -> bool:
    """Whether the drive itself takes the name."""
    try:
        check_name(name)
    except NameRefused:
        return False
    return name not in (".", "..") and side_user(DavPath((name,)), "alice") is None


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(storable)
moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(lambda m: m.replace(tzinfo=UTC, microsecond=0))
times = st.builds(Times, moments, moments)
dead = st.dictionaries(
    st.sampled_from(["{urn:x}a", "{urn:y}d", "{urn:z}q"]), st.text("ab<&'\" é\u3042", max_size=5), max_size=2
)


@st.composite
def trees(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Children of one folder: what each is, and what is on it."""
    entry = st.fixed_dictionaries(
        {
            "name": names,
            "kind": st.sampled_from(["file", "file", "file", "folder", "package"]),
            "size": st.integers(0, 12),
            "times": times,
            "dead": st.just({}) | dead,
            "lock": st.sampled_from(["", "", "", "exclusive", "shared"]),
        }
    )
    return draw(st.lists(entry, max_size=6, unique_by=lambda one: fold(one["name"])))


asked = st.builds(
    Asked,
    st.sampled_from(["prop", "prop", "allprop", "include", "propname", "nothing"]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True).map(tuple),
    st.sampled_from(AGENTS),
).map(lambda one: one if one.kind in ("prop", "include") else Asked(one.kind, (), one.agent))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One state file for all examples."""
    database = open_state(tmp_path_factory.mktemp("state"))
    yield database
    database.close()


def filled(database: Database, entries: list[dict[str, Any]], folder_lock: str, token: str) -> Drive:
    """A drive with the entries in `/folder`."""
    clock = ManualClock()
    driver = Followed(clock)
    driver.token = token
    drive = Drive(database, driver, clock)
    folder = DavPath(("folder",))
    driver.make_folder(folder)
    for entry in entries:
        path = folder.child(entry["name"])
        if entry["kind"] == "file":
            drive.store(path.url(), b"x" * entry["size"], entry["times"])
        elif entry["kind"] == "folder":
            driver.make_folder(path)
            driver.set_times(path, entry["times"])
        else:
            driver.add_package(path)
        if entry["dead"]:
            drive.dead.change(drive.name, path, {name: xml(name, value) for name, value in entry["dead"].items()})
        if entry["lock"] and folder_lock != "infinite":
            lock(drive, path, exclusive=entry["lock"] == "exclusive", infinite=False)
    if folder_lock:
        lock(drive, folder, exclusive=True, infinite=folder_lock == "infinite")
    return drive


def lock(drive: Drive, path: DavPath, *, exclusive: bool, infinite: bool) -> None:
    """Somebody's lock."""
    owner = '<D:owner xmlns:D="DAV:">m&amp;m</D:owner>'
    drive.locks.grant(drive.name, path, "alice", exclusive=exclusive, infinite=infinite, owner=owner, seconds=600)


def xml(name: str, value: str) -> str:
    """A dead property as it is kept."""
    element = etree.Element(name)
    element.text = value
    return str(etree.tostring(element, encoding="unicode"))


def unpacked(told: Told) -> bytes:
    """The body, which only large answers have packed."""
    return gzip.decompress(told.body) if "Content-Encoding" in told.headers else told.body


def places(drive: Drive) -> list[Place]:
    """What a listing of `/folder` has to tell, from the drive and the tables."""
    view = drive.overlay.for_user("alice")
    path = DavPath(("folder",))
    folder, children = view.children(path)
    found = [place(drive, path, folder, "/me/folder/")]
    for child in children:
        href = "/me/folder/" + segment(child.name) + ("/" if child.is_folder else "")
        found.append(place(drive, path.child(child.name), child, href))
    return found


def place(drive: Drive, path: DavPath, item: Item, href: str) -> Place:
    """One of them."""
    locks = sorted(drive.locks.covering(drive.name, path), key=lambda one: len(one.path.names))
    return Place(href, item, locks, drive.dead.get(drive.name, path))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), asked, st.sampled_from(["", "", "own", "infinite"]), st.sampled_from(["", "7-9"]), st.booleans())
def test_the_bytes_mean_what_the_rfc_says(
    database: Database, entries: list[dict[str, Any]], asked: Asked, folder_lock: str, token: str, side: bool
) -> None:
    """Made, kept, streamed and packed: one document, and each response in it is the one that the plain way makes."""
    drive = filled(database, entries, folder_lock, token)
    if side:
        drive.overlay.for_user("alice").reserve(DavPath(("folder", "~$x & <y>")))
        drive.overlay.for_user("bob").reserve(DavPath(("folder", "._private")))
    body = body_of(asked)
    told = [drive.propfind("/me/folder", "1", body, user_agent=asked.agent) for _ in range(2)]
    told.append(drive.propfind("/me/folder/", "1", body, user_agent=asked.agent))
    kept = [drive.propfind("/me/folder", "1", body, user_agent=asked.agent, accept_encoding="gzip") for _ in range(2)]
    drive.shared.prepared._kept.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "STREAMED", 0)
        streamed = drive.propfind("/me/folder", "1", body, user_agent=asked.agent)
        told.append(streamed)
        drive.shared.prepared._kept.clear()
        packed = drive.propfind("/me/folder", "1", body, user_agent=asked.agent, accept_encoding="gzip")
    assert "Content-Length" not in streamed.headers
    assert {one.status for one in (*told, packed)} == {207}
    assert {one.body for one in told} == {gzip.decompress(packed.body)}
    assert {unpacked(one) for one in kept} == {told[0].body}
    # a cache has to know that there is another form, whichever it holds (RFC 9110 §12.5.5)
    has_forms = len(told[0].body) > 1400
    assert {one.headers.get("Vary") for one in (*told[:-1], *kept)} == {"Accept-Encoding" if has_forms else None}
    assert {one.headers["Vary"] for one in (streamed, packed)} == {"Accept-Encoding"}
    assert {"Content-Encoding" in one.headers for one in kept} == {has_forms}
    root = etree.fromstring(told[0].body)
    now = drive.clock.now().timestamp()
    wanted = [expected(one, asked, drive.driver.quota(), token, now) for one in places(drive)]
    assert [shape(one) for one in root] == [shape(one) for one in wanted]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), asked)
def test_one_item_alone_is_told_as_in_its_folder(
    database: Database, entries: list[dict[str, Any]], asked: Asked
) -> None:
    """Depth 0 of each child is its part of the listing with Depth 1, and of the tree with Depth infinity."""
    drive = filled(database, entries, "", "")
    object.__setattr__(drive.shared, "infinite_depth", 100)
    body = body_of(asked)
    listing = etree.fromstring(drive.propfind("/me/folder/", "1", body, user_agent=asked.agent).body)
    whole = etree.fromstring(drive.propfind("/me/folder/", "infinity", body, user_agent=asked.agent).body)
    assert [shape(one) for one in whole] == [shape(one) for one in listing]
    for response in listing:
        alone = drive.propfind(response[0].text, "0", body, user_agent=asked.agent)
        assert [shape(one) for one in etree.fromstring(alone.body)] == [shape(response)]


def test_odd_names_do_not_spoil_a_listing(database: Database) -> None:
    """Line breaks and lone surrogates, which only a broken service could send, cost the quick way and nothing else."""
    drive = Drive(database)
    drive.driver.make_folder(DavPath(("folder",)))
    drive.store("/folder/plain.txt")
    node = drive.driver._find(DavPath(("folder", "plain.txt")))  # type: ignore[attr-defined]
    for name in ("two\nlines", "half \ud800", "bell \x07", "non\ufffechar", "nbsp\xa0"):
        node.name, node._shown = name, None
        drive.driver._touch(ROOT)  # type: ignore[attr-defined]
        drive.driver._touch(DavPath(("folder",)))  # type: ignore[attr-defined]
        told = drive.propfind("/me/folder/", "1")
        child = etree.fromstring(told.body)[1]
        assert child[0].text == "/me/folder/" + segment(name)
        assert len(child.findtext(f".//{D}displayname")) == len(name)


def test_what_is_kept_is_bounded(database: Database) -> None:
    """A listing that would fill half of the room is not kept."""
    drive = Drive(database, prepared=Prepared(2000))
    for name in ("small", "large"):
        drive.driver.make_folder(DavPath((name,)))
    drive.store("/small/one.txt")
    for number in range(12):
        drive.store(f"/large/{number}.txt")
    for path in ("/me/small", "/me/large", "/me/small"):
        assert drive.propfind(path, "1", body_of(Asked("prop", (D + "getetag",)))).status == 207
    assert len(drive.prepared._kept) == 1
