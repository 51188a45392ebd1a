"""REPORT sync-collection (RFC 6578), as a sync client speaks it."""

from __future__ import annotations

import pytest

from tests.support.dav import Answer, Dav

TOKEN = "urn:davbridge:sync:"


def told(answer: Answer) -> dict[str, int]:
    """Paths below the test's folder, with the status of each; 0: it has properties."""
    return {one.href.removeprefix("/mem/W"): one.status for one in answer.resources}


@pytest.fixture
def full(dav: Dav) -> Dav:
    """A folder with a few things in it."""
    dav.mkcol("d", check=201)
    dav.put("d/a%20b.txt", "one", check=201)
    dav.put("c.txt", "two", check=201)
    return dav


def test_everything_first(full: Dav) -> None:
    """Without a token all members are told, with the properties that were asked for, and a token."""
    for token in ("", None):
        answer = full.report("", token, props="<D:getetag/><D:resourcetype/>", check=207)
        assert told(answer) == {"/d/": 0, "/d/a%20b.txt": 0, "/c.txt": 0}
        assert answer.sync_token.startswith(TOKEN)
    etags = {one.href: one.found.get("{DAV:}getetag") for one in answer.resources}
    assert etags["/mem/W/c.txt"] == full.head("c.txt").etag
    assert etags["/mem/W/d/"] is None


def test_level_one(full: Dav) -> None:
    """Members of members are not told."""
    assert told(full.report("", level=1, check=207)) == {"/d/": 0, "/c.txt": 0}


def test_changes(full: Dav) -> None:
    """New, changed, moved and deleted members; a removed one has a status and no properties."""
    token = full.report("", check=207).sync_token
    assert told(full.report("", token, check=207)) == {}
    full.put("c.txt", "three", check=204)
    full.put("d/new.txt", check=201)
    full.delete("d/a%20b.txt", check=204)
    answer = full.report("", token, check=207)
    assert told(answer) == {"/c.txt": 0, "/d/new.txt": 0, "/d/a%20b.txt": 404}
    assert "<D:propstat>" not in answer.text.split("a%20b.txt")[1].split("</D:response>")[0]
    full.move("d", "e", check=201)
    later = full.report("", answer.sync_token, check=207)
    assert told(later) == {"/d/": 404, "/e/": 0, "/e/new.txt": 0}
    assert later.sync_token != answer.sync_token


def test_limit(full: Dav) -> None:
    """507 for the folder says that there is more, and the token goes on (§3.6)."""
    seen, token = {}, ""
    for _ in range(3):
        answer = full.report("", token, limit=1, check=207)
        page, token = told(answer), answer.sync_token
        more = page.pop("/", 0)
        assert len(page) == 1
        seen |= page
        assert ("number-of-matches-within-limits" in answer.text) == (more == 507)
    assert (seen, more) == ({"/d/": 0, "/d/a%20b.txt": 0, "/c.txt": 0}, 0)


@pytest.mark.parametrize("token", [TOKEN, TOKEN + "nonsense", "nonsense", "urn:other:1", TOKEN + "a b", "&amp;"])
def test_invalid_tokens(full: Dav, token: str) -> None:
    """403 valid-sync-token: the client starts over (§3.2)."""
    answer = full.report("", token, check=403)
    assert "<D:valid-sync-token>" in answer.text or "<D:valid-sync-token/>" in answer.text


@pytest.mark.parametrize("depth", ["1", "infinity"])
def test_depth(full: Dav, depth: str) -> None:
    """The level is in the body; Depth is 0 or absent (§3.3)."""
    full.report("", headers={"Depth": depth}, check=400)
    full.report("", headers={"Depth": "0"}, check=207)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        '<D:sync-collection xmlns:D="DAV:"/>',
        '<D:sync-collection xmlns:D="DAV:"><D:sync-level>1</D:sync-level></D:sync-collection>',
        '<D:sync-collection xmlns:D="DAV:"><D:sync-level>2</D:sync-level><D:prop/></D:sync-collection>',
        '<D:sync-collection xmlns:D="DAV:"><D:sync-level>1</D:sync-level><D:prop/><D:limit/></D:sync-collection>',
    ],
)
def test_malformed(full: Dav, body: str) -> None:
    """400 for what is no report at all, or not a whole one."""
    full.request("REPORT", "", body=body, check=400)


@pytest.mark.parametrize("limit", [0, -1, "many", "¹"])
def test_malformed_limits(full: Dav, limit: int | str) -> None:
    """A limit is a positive number."""
    full.report("", limit=limit, check=400)


def test_other_reports(full: Dav) -> None:
    """403 supported-report (RFC 3253 §3.6): an unknown one, one on a file, or on a drive that does not tell."""
    others = [
        full.request("REPORT", "", body='<D:expand-property xmlns:D="DAV:"/>', check=403),
        full.report("c.txt", check=403),
        full.report("/plain/W/", check=403),
        full.report("/", check=403),
    ]
    assert all("supported-report" in other.text for other in others)
    full.report("none/", check=404)


def test_dead_properties_and_side_files(full: Dav) -> None:
    """Dead properties are shown with their items; what is only in the bridge is not a member."""
    full.proppatch("d/a%20b.txt", "<x:mark>yes</x:mark>", check=207)
    full.put("d/.DS_Store", "junk", check=201)
    answer = full.report("", props="<x:mark/>", check=207)
    marks = {one.href: one.found.get("{urn:x}mark") for one in answer.resources}
    assert marks == {"/mem/W/d/": None, "/mem/W/d/a%20b.txt": "yes", "/mem/W/c.txt": None}


def test_hrefs_are_spelt_as_the_request(full: Dav) -> None:
    """A client finds its own URLs in the answer."""
    token = full.report("/mem/w/D/", check=207).sync_token
    full.put("d/new.txt", check=201)
    assert [one.href for one in full.report("/mem/w/D/", token, check=207).resources] == ["/mem/w/D/new.txt"]
