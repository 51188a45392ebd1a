"""Shortcuts to other people's folders, and drives whose changes are not known, as a sync client meets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dav import Answer, Dav, Resource
from tests.support.world import MOUNTS, World

CTAG = "{http://calendarserver.org/ns/}getctag"
SYNC = ("{DAV:}sync-token", "{DAV:}supported-report-set")
PROPS = (
    '<D:propfind xmlns:D="DAV:" xmlns:C="http://calendarserver.org/ns/"><D:prop><C:getctag/><D:getetag/>'
    "<D:resourcetype/><D:sync-token/><D:supported-report-set/></D:prop></D:propfind>"
)
FOLDERS = ("", "mine/", "mine/deep/", "notes/", "Short/", "Short/below/")


@pytest.fixture
def client(world: World) -> Iterator[Dav]:
    """A client of a drive with `/mine/deep/a.txt`, the shortcut `/Short` (`below/x.txt`) and the notebook `/notes`."""
    others, drive = world.emulator.drive("archive"), world.emulator.drive(MOUNTS["me"])
    others.put("/shared/below/x.txt", b"x")
    drive.put("/mine/deep/a.txt", b"a")
    drive.mkdir("/notes").package = "oneNote"
    drive.shortcut("Short", others, "/shared")
    world.bridge.drivers["me"].probe()
    dav = world.dav("me")
    yield dav
    dav.close()


def depth0(dav: Dav, path: str) -> Resource:
    """The folder by itself."""
    return dav.request("PROPFIND", path, headers={"Depth": "0"}, body=PROPS, check=207).one


def depth1(dav: Dav, path: str) -> dict[str, Resource]:
    """The folder and its children by their hrefs."""
    answer = dav.request("PROPFIND", path, headers={"Depth": "1"}, body=PROPS, check=207)
    return {one.href: one for one in answer.resources}


def statuses(answer: Answer) -> dict[str, int]:
    """The statuses of whole responses, by href; 0: it has properties."""
    return {one.href: one.status for one in answer.resources}


def test_depth_0_and_depth_1_agree(world: World, client: Dav) -> None:
    """On tags and on reports, and a folder offers the report exactly where it is answered."""
    world.bridge.pollers.round()
    offered = set()
    for path in FOLDERS:
        own = depth0(client, path)
        above = depth1(client, path.rstrip("/").rpartition("/")[0] + "/" if path.count("/") > 1 else "")
        assert depth1(client, path)[own.href].statuses == above[own.href].statuses == own.statuses
        answer = client.report(path)
        assert answer.status == (207 if own.statuses[SYNC[1]] == 200 else 403)
        assert own.statuses[SYNC[0]] == own.statuses[SYNC[1]] == own.statuses[CTAG]
        if answer.status == 207:
            offered.add(path)
            assert "sync-collection" in own.found[SYNC[1]]
        else:
            assert "<D:supported-report>" in answer.text
    assert offered == {"", "mine/", "mine/deep/", "notes/"}


def test_a_shortcut_is_not_traversed(world: World, client: Dav) -> None:
    """With level infinite a 403 says that there is no report of it (RFC 6578 §3.3); with level 1 it is a member."""
    world.bridge.pollers.round()
    answer = client.report("", check=207)
    assert statuses(answer) == {
        **{"/me/mine/": 0, "/me/mine/deep/": 0, "/me/mine/deep/a.txt": 0, "/me/notes/": 0},
        "/me/Short/": 403,
    }
    told = answer.text.split("/me/Short/</D:href>")[1].split("</D:response>")[0]
    assert told == "<D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:supported-report/></D:error>"
    assert statuses(client.report("", level=1, check=207)) == {"/me/mine/": 0, "/me/notes/": 0, "/me/Short/": 0}
    assert statuses(client.report("", answer.sync_token, check=207)) == {}, "it is told once"


def test_a_write_behind_a_shortcut_changes_the_tags_above(world: World, client: Dav) -> None:
    """At once, when it goes through the bridge; and a warm look at the tags costs no call."""
    world.bridge.pollers.round()
    before = depth0(client, ""), depth0(client, "mine/")
    client.put("Short/below/new.txt", b"new", check=201)
    with world.emulator.calls.counting() as calls:
        after = depth0(client, ""), depth0(client, "mine/")
        listed = depth1(client, "")
    assert calls.operations == []
    assert after[0].found[CTAG] != before[0].found[CTAG]
    assert after[1].found[CTAG] == before[1].found[CTAG]
    assert listed["/me/"].found[CTAG] == after[0].found[CTAG]
    assert "/me/Short/below/new.txt" in depth1(client, "Short/below/")


def test_a_drive_that_is_still_being_read(world: World, client: Dav) -> None:
    """503 and when to ask again, since it will pass; with delta out of reach, 403, since it will not."""
    answer = client.report("", check=503)
    assert int(answer.header("Retry-After")) > 0
    assert depth0(client, "").statuses[SYNC[1]] == 404
    search = '<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select><D:allprop/></D:select><D:from><D:scope>'
    search += "<D:href></D:href><D:depth>infinity</D:depth></D:scope></D:from></D:basicsearch></D:searchrequest>"
    client.request("SEARCH", "", body=search, check=503)
    assert "<D:supported-report>" in client.report("Short/", check=403).text
    file = world.bridge.drivers["me"]._tree.cache.file
    file.is_polled = False
    try:
        assert "<D:supported-report>" in client.report("", check=403).text
    finally:
        file.is_polled = True
    world.bridge.pollers.round()
    client.report("", check=207)
