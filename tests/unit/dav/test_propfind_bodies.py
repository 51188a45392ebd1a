"""What the bodies of a PROPFIND may ask (RFC 4918 §14.20): one question each, and what none of them may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.support.memory import Drive, open_state
from tests.support.multistatus import D


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """A drive with one file."""
    database = open_state(tmp_path)
    drive = Drive(database)
    drive.store("/a.txt")
    yield drive
    database.close()


def body(inside: str) -> bytes:
    """A propfind element."""
    return f'<D:propfind xmlns:D="DAV:">{inside}</D:propfind>'.encode()


@pytest.mark.parametrize(
    "inside",
    [
        "<D:allprop/><D:propname/>",
        "<D:propname/><D:allprop/>",
        "<D:allprop/><D:prop><D:getetag/></D:prop>",
        "<D:prop><D:getetag/></D:prop><D:propname/>",
        "<D:prop><D:getetag/></D:prop><D:prop><D:displayname/></D:prop>",
        "<D:allprop/><D:prop/>",
        "<D:allprop/><D:allprop/>",
    ],
)
def test_contradictions_are_refused(drive: Drive, inside: str) -> None:
    """400 with a sentence: whichever part we obeyed, the client might have meant the other."""
    told = drive.propfind("/me/a.txt", "0", body(inside))
    assert told.status == 400
    said = etree.fromstring(told.body).findtext("{urn:davbridge}message")
    assert "2 questions" in said
    assert "propname, prop, or allprop" in said


@pytest.mark.parametrize("inside", ["", "<D:include><D:getetag/></D:include>", '<x:prop xmlns:x="urn:x"/>'])
def test_no_question_is_refused(drive: Drive, inside: str) -> None:
    """400: an element without any of the three asks nothing; only no body at all means allprop (§9.1)."""
    told = drive.propfind("/me/a.txt", "0", body(inside))
    assert told.status == 400
    assert b"propname, prop, or allprop" in told.body


@pytest.mark.parametrize("depth", ["0", "1"])
@pytest.mark.parametrize("prop", ["<D:prop/>", "<D:prop></D:prop>", "<D:prop> <!-- none --> </D:prop>"])
def test_an_empty_prop_asks_for_no_property(drive: Drive, prop: str, depth: str) -> None:
    """`prop` may be empty (§14.18): each item is told with no property, in the one propstat that §14.24 wants."""
    told = drive.propfind("/me/", depth, body(prop))
    assert told.status == 207
    responses = list(etree.fromstring(told.body))
    assert [one.findtext(D + "href") for one in responses] == ["/me/", "/me/a.txt"][: int(depth) + 1]
    for one in responses:
        assert [part.tag for part in one] == [D + "href", D + "propstat"]
        assert [list(part) for part in one.iter(D + "prop")] == [[]]
        assert [part.text for part in one.iter(D + "status")] == ["HTTP/1.1 200 OK"]


def test_an_unknown_element_is_no_question(drive: Drive) -> None:
    """What nobody knows beside a question is passed over (§17), also when it looks like one in another namespace."""
    inside = '<x:allprop xmlns:x="urn:x"/><D:foobar/><D:prop><D:displayname/></D:prop>'
    told = drive.propfind("/me/a.txt", "0", body(inside))
    assert told.status == 207
    assert etree.fromstring(told.body).findtext(f".//{D}displayname") == "a.txt"
