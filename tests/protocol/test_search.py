"""SEARCH with a basicsearch (RFC 5323), as a client speaks it."""

from __future__ import annotations

import pytest

from tests.support.dav import Answer, Dav


def hrefs(answer: Answer) -> list[str]:
    """What was found, in order, below the test's folder."""
    return [one.href.removeprefix("/mem/W/") for one in answer.resources]


def condition(operator: str, prop: str, literal: str, *, caseless: str = "") -> str:
    """`<D:eq><D:prop>…</D:prop><D:literal>…`."""
    attribute = f' caseless="{caseless}"' if caseless else ""
    inside = f"<D:prop><D:{prop}/></D:prop><D:literal>{literal}</D:literal>"
    return f"<D:{operator}{attribute}>{inside}</D:{operator}>"


SMALL = condition("lt", "getcontentlength", "3")
ALL = {"", "d/", "d/A.txt", "d/b%20%25.TXT", "c.bin"}


@pytest.fixture
def full(dav: Dav) -> Dav:
    """A folder with a few things in it; the client's URLs end in a slash."""
    dav.mkcol("d", check=201)
    dav.put("d/A.txt", "1", check=201)
    dav.put("d/b%20%25.TXT", "1234", check=201)
    dav.put("c.bin", "12345", headers={"X-OC-Mtime": "1556938921"}, check=201)
    return dav


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", ALL),
        (condition("eq", "displayname", "a.TXT"), {"d/A.txt"}),
        (condition("eq", "displayname", "a.TXT", caseless="no"), set()),
        (condition("like", "displayname", "%.txt"), {"d/A.txt", "d/b%20%25.TXT"}),
        (condition("like", "displayname", r"b \%%"), {"d/b%20%25.TXT"}),
        (condition("like", "displayname", "_"), {"", "d/"}),
        (SMALL, {"d/A.txt"}),
        (f"<D:not>{SMALL}</D:not>", {"d/b%20%25.TXT", "c.bin"}),
        (f"<D:or>{SMALL}<D:is-collection/></D:or>", {"", "d/", "d/A.txt"}),
        (f"<D:and><D:not><D:is-collection/></D:not>{SMALL}</D:and>", {"d/A.txt"}),
        (
            "<D:not><D:is-defined><D:prop><D:getcontentlength/></D:prop></D:is-defined></D:not>",
            {"", "d/"},
        ),
        (condition("lte", "getlastmodified", "2019-05-04T03:02:01Z"), {"c.bin"}),
        (condition("lt", "getlastmodified", "Sat, 04 May 2019 03:02:01 GMT"), set()),
        (condition("gte", "creationdate", "1970-01-01T00:00:00Z"), ALL),
        (condition("eq", "getcontenttype", "text/plain"), {"d/A.txt", "d/b%20%25.TXT"}),
    ],
)
def test_conditions(full: Dav, where: str, found: set[str]) -> None:
    """Operators, case, wildcards, and three-valued logic for what folders do not have (§5.5.2)."""
    assert set(hrefs(full.search("", where, check=207))) == found


def test_typed_literal(full: Dav) -> None:
    """A literal may tell its type, which we know."""
    schemas = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    literal = f'<D:typed-literal {schemas} xsi:type="xs:unsignedInt">4</D:typed-literal>'
    where = f"<D:eq><D:prop><D:getcontentlength/></D:prop>{literal}</D:eq>"
    assert hrefs(full.search("", where, check=207)) == ["d/b%20%25.TXT"]


def test_scopes(full: Dav) -> None:
    """Relative or absolute, a path or a URL, and each depth; the scope itself is a part of it."""
    assert hrefs(full.search("", depth=0, check=207)) == [""]
    assert set(hrefs(full.search("", depth=1, check=207))) == {"", "d/", "c.bin"}
    for scope in ("d/", "/mem/W/d", full.url("d/")):
        assert set(hrefs(full.search("", scope=scope, check=207))) == {"d/", "d/A.txt", "d/b%20%25.TXT"}
    assert hrefs(full.search("", scope="c.bin", check=207)) == ["c.bin"]
    assert hrefs(full.search("c.bin", scope="c.bin", check=207)) == ["c.bin"]
    assert "/mem/" in hrefs(full.search("/mem/", depth=1, check=207))


@pytest.mark.parametrize("scope", ["none/", "/elsewhere/", "/plain/W/", "../../", "%ff"])
def test_invalid_scopes(full: Dav, scope: str) -> None:
    """409 search-scope-valid, with the scope."""
    answer = full.search("", scope=scope, check=409)
    assert f"<D:search-scope-valid><D:href>{scope}</D:href>" in answer.text


def test_order_and_limit(full: Dav) -> None:
    """The first in the order, the scope in its place among them; undefined values come before all others."""
    order = "<D:orderby><D:order><D:prop><D:getcontentlength/></D:prop><D:{}/></D:order></D:orderby>"
    up = hrefs(full.search("", rest=order.format("ascending"), check=207))
    assert (set(up[:2]), up[2:]) == ({"", "d/"}, ["d/A.txt", "d/b%20%25.TXT", "c.bin"])
    down = order.format("descending") + "<D:limit><D:nresults>2</D:nresults></D:limit>"
    answer = full.search("", rest=down, check=207)
    assert hrefs(answer) == ["c.bin", "d/b%20%25.TXT"]
    assert [one.status for one in answer.resources] == [0, 0], "the client's own limit is no truncation"


def test_too_many(full: Dav, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we leave out is said by a 507 for the request's own URL (§2.3.1)."""
    monkeypatch.setattr("davbridge.dav.verbs.search.MOST", 2)
    answer = full.search("", check=207)
    assert [one.status for one in answer.resources] == [0, 0, 507]
    assert answer.resources[-1].href == "/mem/W/"


def test_selected_properties(full: Dav) -> None:
    """As PROPFIND shows them: found, missing, dead, and all."""
    full.proppatch("c.bin", "<x:mark>yes</x:mark>", check=207)
    where = condition("eq", "displayname", "c.bin")
    one = full.search("", where, props="<D:getcontentlength/><x:mark/><x:none/>", check=207).one
    assert (one["getcontentlength"], one["{urn:x}mark"], one.missing) == ("5", "yes", {"{urn:x}none"})
    scope = "<D:from><D:scope><D:href>c.bin</D:href><D:depth>0</D:depth></D:scope></D:from>"
    body = f"<D:select><D:allprop/></D:select>{scope}"
    body = f'<D:searchrequest xmlns:D="DAV:"><D:basicsearch>{body}</D:basicsearch></D:searchrequest>'
    assert {"{DAV:}getetag", "{urn:x}mark"} <= set(full.request("SEARCH", "", body=body, check=207).one.found)


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("<D:is-collection/><D:is-collection/>", 400),
        ("<D:and/>", 400),
        ("<D:not/>", 400),
        ("<D:eq><D:literal>x</D:literal></D:eq>", 400),
        ("<D:eq><D:prop><D:displayname/></D:prop></D:eq>", 400),
        ("<D:contains>text</D:contains>", 422),
        ("<D:language-defined><D:prop><D:displayname/></D:prop></D:language-defined>", 422),
        (condition("eq", "lockdiscovery", "x"), 422),
        (condition("eq", "getcontentlength", "much"), 422),
        (condition("eq", "getlastmodified", "yesterday"), 422),
        (condition("like", "getcontentlength", "1%"), 422),
        (condition("like", "displayname", "a\\b"), 422),
        (condition("eq", "displayname", "x" * 2000), 422),
        ("<D:not>" * 100 + "<D:is-collection/>" + "</D:not>" * 100, 207),
        ("<D:or>" + "<D:is-collection/>" * 400 + "</D:or>", 207),
        ("<D:or>" + "<D:is-collection/>" * 501 + "</D:or>", 422),
    ],
)
def test_refused_conditions(full: Dav, where: str, status: int) -> None:
    """400 for a malformed condition, 422 for one that we cannot decide: nothing found would be a lie."""
    full.search("", where, check=status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("nonsense", 400),
        ('<D:propfind xmlns:D="DAV:"/>', 400),
        ('<D:searchrequest xmlns:D="DAV:"/>', 400),
        ('<D:searchrequest xmlns:D="DAV:"><x:sql xmlns:x="urn:x"/></D:searchrequest>', 422),
        ('<D:searchrequest xmlns:D="DAV:"><D:basicsearch/></D:searchrequest>', 400),
    ],
)
def test_refused_bodies(full: Dav, body: str, status: int) -> None:
    """What is no search, and a grammar that we do not know (§2.4)."""
    full.request("SEARCH", "", body=body, check=status)


def test_refused_scopes_selections_and_orders(full: Dav) -> None:
    """What the RFC leaves optional, and what it demands."""
    full.search("", depth="2", check=400)
    full.search("", rest="<D:limit><D:nresults>0</D:nresults></D:limit>", check=400)
    full.search("", rest="<D:orderby><D:order><D:score/></D:order></D:orderby>", check=422)
    two = "<D:scope><D:href>.</D:href><D:depth>1</D:depth></D:scope>" * 2
    for inside, status in (
        (f"<D:select><D:prop/></D:select><D:from>{two}</D:from>", 422),
        ("<D:select><D:prop/></D:select>", 400),
        (f"<D:from>{two[: len(two) // 2]}</D:from>", 400),
    ):
        body = f'<D:searchrequest xmlns:D="DAV:"><D:basicsearch>{inside}</D:basicsearch></D:searchrequest>'
        full.request("SEARCH", "", body=body, check=status)


def test_discovery(full: Dav) -> None:
    """OPTIONS, a property and the query schema tell what can be searched (§3, §4)."""
    assert full.options("", check=200).header("DASL") == "<DAV:basicsearch>"
    grammars = full.propfind("c.bin", body="<D:supported-query-grammar-set/>", check=207)
    assert "basicsearch" in grammars.one["supported-query-grammar-set"]
    scope = "<D:from><D:scope><D:href>{}</D:href><D:depth>0</D:depth></D:scope></D:from>"
    body = '<D:query-schema-discovery xmlns:D="DAV:"><D:basicsearch>{}</D:basicsearch></D:query-schema-discovery>'
    answer = full.request("SEARCH", "", body=body.format(scope.format("d/")), check=207)
    assert "<D:basicsearchschema>" in answer.text
    assert "<D:prop><D:displayname/></D:prop>" in answer.text
    full.request("SEARCH", "", body=body.format(scope.format("none")), check=409)


def test_a_tree_that_cannot_be_searched(full: Dav) -> None:
    """403, and no empty answer."""
    full.search("/plain/W/", check=403)
    full.search("/", scope="/mem/", check=403)
