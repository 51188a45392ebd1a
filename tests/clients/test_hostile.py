"""Requests that no good client sends: each gets a plain answer, and harms nobody else."""

from __future__ import annotations

import http.client
import time

import pytest
from lxml import etree

from tests.support.dav import Dav
from tests.support.world import World


@pytest.fixture
def base(world: World) -> str:
    """Plain HTTP only: none of this depends on the way that a request comes."""
    return world.http


def test_owner_too_long(dav: Dav) -> None:
    """A lock's owner is shown whole or not at all, so that the folder can still be listed."""
    dav.put("a.txt", "abc", check=201)
    dav.lock("a.txt", owner="o" * 5000, check=200)
    _, child = dav.propfind("", depth=1, body="<D:lockdiscovery/>", check=207).resources
    assert "activelock" in child["lockdiscovery"]


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [("If", "([" + " " * 30_000 + "x)", 400), ("Range", "bytes=" + " " * 60_000 + "x", 200)],
)
def test_spaces_take_no_time(dav: Dav, header: str, value: str, status: int) -> None:
    """A header full of spaces is read in linear time: the interpreter does nothing else meanwhile."""
    dav.put("a.txt", "abc", check=201)
    begin = time.monotonic()
    dav.get("a.txt", headers={header: value}, check=status)
    assert time.monotonic() - begin < 2


def test_if_names_few_items(dav: Dav) -> None:
    """An If header cannot make the bridge ask Microsoft for thousands of items."""
    lists = " ".join(f'</me/{number}> (["x"])' for number in range(500))
    dav.put("a.txt", "abc", headers={"If": lists}, check=400)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Range", "bytes=" + "9" * 5000 + "-", 200),
        ("Range", "bytes=-" + "9" * 5000, 200),
        ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 -1200", 200),
        ("If-Modified-Since", "0001-01-01T00:00:00+12:00", 200),
        ("If-Modified-Since", "99999999999999999999 Jan 2020 00:00:00 GMT", 200),
        ("If-Modified-Since", "1 Jan 2020 00:00:00 +99999999999999", 200),
        ("If", "<http://[x/a> (<t>)", 412),
    ],
)
def test_numbers_and_dates_without_sense(dav: Dav, name: str, value: str, status: int) -> None:
    """A number or date that no computer can hold is ignored, and no error of the bridge."""
    dav.put("a.txt", "abc", check=201)
    dav.get("a.txt", headers={name: value}, check=status)


def test_numbers_without_sense_in_writes(dav: Dav) -> None:
    """The same for the numbers that LOCK and PUT read."""
    dav.put("a.txt", "abc", headers={"X-Expected-Entity-Length": "9" * 5000, "X-OC-Mtime": "9" * 5000}, check=201)
    dav.lock("a.txt", headers={"Timeout": "Second-" + "9" * 5000}, check=200)


def test_properties_without_namespace(dav: Dav) -> None:
    """A property without a namespace keeps its whole name in an answer, also when that is one letter."""
    body = '<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><foo/><a/></D:prop></D:propfind>'
    assert dav.propfind("", body=body, check=207).one.missing == {"foo", "a"}
    dav.proppatch("", "<a>1</a>", check=207)
    assert dav.propfind("", body=body, check=207).one.found["a"] == "1"


def test_url_inside_a_path(dav: Dav) -> None:
    """A path that holds a URL, as a mirrored web site does, is not taken for that URL's path."""
    dav.put("victim.txt", "old", check=201)
    dav.put(f"site/http://example.com{dav.path('victim.txt')}", "new", check=409)
    assert dav.get("victim.txt", check=200).body == b"old"
    connection = http.client.HTTPConnection(dav.host)
    connection.request("GET", dav.url("victim.txt"), headers={"Authorization": dav.auth or ""})
    assert connection.getresponse().read() == b"old"
    connection.close()


def test_two_slashes_before_a_path(dav: Dav) -> None:
    """Links and hrefs never begin with two slashes: what follows these is a host."""
    dav.put("a.txt", "abc", check=201)
    doubled = "/" + dav.path("")
    assert [one.href for one in dav.propfind(doubled, depth=1, check=207).resources] == [
        dav.path(""),
        dav.path("a.txt"),
    ]
    assert f'href="{dav.path("a.txt")}"' in dav.get(doubled, check=200).text


def test_mount_in_another_case(dav: Dav) -> None:
    """A mount is found in any case, and so it is in Destination and in the tags of If."""
    dav.put("a.txt", "abc", check=201)
    _, mount, rest = dav.path("").split("/", 2)
    other = f"/{mount.upper()}/{rest}"
    dav.move(other + "a.txt", other + "b.txt", check=201)
    token = dav.lock(other + "b.txt", check=200).token
    dav.put(other + "b.txt", "new", headers={"If": f"<{dav.url(other + 'b.txt')}> (<{token}>)"}, check=204)


def test_readers_lock_binds_nobody(world: World) -> None:
    """Who may only read gets a lock, since Windows needs one, and keeps nobody from writing or locking with it."""
    alice, bob = world.dav("team"), world.dav("team", "bob")
    alice.put("a.txt", "abc", check=201)
    token = bob.lock("", headers={"Timeout": "Infinite"}, check=200).token
    alice.put("a.txt", "new", check=204)
    mine = alice.lock("a.txt", check=200).token
    bob.lock("a.txt", check=423)
    alice.put("a.txt", "newer", headers={"If": f"(<{mine}>)"}, check=204)
    bob.unlock("", token, check=204)
    alice.close()
    bob.close()


def test_too_many_properties(dav: Dav) -> None:
    """A small body that names thousands of properties does not make gigabytes of a large folder's listing."""
    dav.propfind("", body="<D:getetag/>" + "".join(f"<x:p{number}/>" for number in range(5000)), check=413)
    dav.propfind("", body="".join(f"<x:p{number}/>" for number in range(256)), check=207)


def test_control_characters_in_a_name(dav: Dav) -> None:
    """The message about a name that XML cannot hold is XML all the same."""
    answer = dav.get("a%01b%EF%BF%BE", check=404)
    assert "does not exist" in "".join(etree.fromstring(answer.body).itertext())
