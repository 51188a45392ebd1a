"""Forms that every server meets sooner or later, from whatever client."""

from __future__ import annotations

import pytest

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World


@pytest.fixture
def file(dav: Dav) -> str:
    """`a.txt`, and its ETag."""
    return dav.put("a.txt", "abc", check=201).etag


@pytest.mark.parametrize("scheme", ["http", "https", "webdav", "webdavs", "dav", "davs"])
def test_destination_schemes(dav: Dav, file: str, scheme: str) -> None:
    """Any spelling of our own address will do, with user and password in it, too."""
    target = f"{scheme}://user:word@{dav.host.upper()}{dav.path('copy.txt')}"
    dav.copy("a.txt", "", headers={"Destination": target}, check=201)


def test_destination_forms(dav: Dav, file: str) -> None:
    """A path alone; escapes that must not be cut; no header; another server; another mount."""
    dav.copy("a.txt", "", headers={"Destination": dav.path("path-only.txt")}, check=201)
    dav.copy("a.txt", "semi%3Bcolon%3Fq%23h%25p+q.txt", check=201)
    assert dav.get("semi%3Bcolon%3Fq%23h%25p+q.txt", check=200).body == b"abc"
    dav.copy("a.txt", "no-port.txt", headers={"Destination": f"http://127.0.0.1{dav.path('no-port.txt')}"}, check=201)
    dav.request("COPY", "a.txt", check=400)
    dav.copy("a.txt", "", headers={"Destination": "http://other.example/me/x.txt"}, check=502)
    dav.copy("a.txt", "", headers={"Destination": dav.base + "/elsewhere/x.txt"}, check=502)


def test_same_and_inside(dav: Dav, file: str) -> None:
    """An item is not moved onto itself, nor a folder into itself."""
    dav.move("a.txt", "a.txt", check=403)
    dav.mkcol("d", check=201)
    dav.move("d", "d/e", check=403)
    dav.copy("d", "d/e", check=403)
    dav.propfind("d", check=207)


def test_missing_parents(dav: Dav, file: str) -> None:
    """Nothing is created on the way."""
    dav.mkcol("no/parent", check=409)
    dav.put("no/parent.txt", "x", check=409)
    dav.copy("a.txt", "no/such/parent.txt", check=409)
    dav.move("a.txt", "no/such/parent.txt", check=409)
    dav.propfind("no", check=404)


def test_creation_errors(dav: Dav, file: str) -> None:
    """A body on MKCOL, a PUT on a folder, a part of a file, a folder that is there."""
    dav.request("MKCOL", "body", body="<x/>", headers={"Content-Type": "text/xml"}, check=415)
    dav.put("", "x", check=405)
    dav.mkcol("d", check=201)
    dav.put("d", "x", check=405)
    dav.mkcol("d", check=405)
    dav.put("a.txt", "xyz", headers={"Content-Range": "bytes 0-2/10"}, check=400)
    assert dav.get("a.txt", check=200).body == b"abc"


def test_depths(dav: Dav, file: str) -> None:
    """Infinity is refused in the standard way, a missing header means one level, nonsense is 400."""
    refused = dav.propfind("", depth="infinity", check=403)
    assert "propfind-finite-depth" in refused.text
    assert len(dav.propfind("", depth=None, check=207).resources) == 2
    assert [one.href for one in dav.propfind("", depth="1,noroot", check=207).resources] == [dav.path("a.txt")]
    dav.propfind("a.txt", depth=7, check=400)


def test_propfind_bodies(dav: Dav, file: str) -> None:
    """propname, allprop with include, an unknown property, and what is not XML."""
    head = '<?xml version="1.0"?><D:propfind xmlns:D="DAV:">'
    names = dav.propfind("a.txt", body=head + "<D:propname/></D:propfind>", check=207).one
    assert "{DAV:}getetag" in names.found
    include = "<D:allprop/><D:include><D:quota-used-bytes/></D:include></D:propfind>"
    assert "{DAV:}quota-used-bytes" in dav.propfind("a.txt", body=head + include, check=207).one.found
    assert dav.propfind("a.txt", body="<x:foo/>", check=207).one.missing == {"{urn:x}foo"}
    dav.propfind("a.txt", body="<?xml not", check=400)
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'
    dav.propfind("a.txt", body=bomb, check=400)


def test_utf16_body(dav: Dav, file: str) -> None:
    """BitKinex sends UTF-16."""
    body = (
        '<?xml version="1.0" encoding="utf-16"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
    )
    answer = dav.request("PROPFIND", "a.txt", headers={"Depth": "0"}, body=body.encode("utf-16"), check=207)
    assert answer.one["getetag"] == file


def test_if_header(dav: Dav, file: str) -> None:
    """Entity tags, negation and unknown tokens in If."""
    dav.put("a.txt", "abcd", headers={"If": f"([{file}])"}, check=204)
    dav.put("a.txt", "stale", headers={"If": f"([{file}])"}, check=412)
    dav.put("a.txt", "abcd", headers={"If": "(Not <DAV:no-lock>)"}, check=204)
    dav.put("a.txt", "abcd", headers={"If": "(<opaquelocktoken:00000000-0000-0000-0000-000000000000>)"}, check=412)
    dav.put("a.txt", "abcd", headers={"If": "(<unclosed"}, check=400)


def test_locked_without_token(dav: Dav, file: str) -> None:
    """A lock stops writing, and nothing else."""
    token = dav.lock("a.txt", headers={"Timeout": "Infinite"}, check=200).token
    assert "lock-token-submitted" in dav.put("a.txt", "zzz", check=423).text
    dav.delete("a.txt", check=423)
    dav.move("a.txt", "b.txt", check=423)
    dav.proppatch("a.txt", "<x:p>1</x:p>", check=423)
    dav.copy("a.txt", "b.txt", check=201)
    dav.copy("b.txt", "a.txt", check=423)
    assert dav.get("a.txt", check=200).body == b"abc"
    dav.unlock("a.txt", "opaquelocktoken:00000000-0000-0000-0000-000000000000", check=409)
    dav.unlock("a.txt", token, check=204)
    dav.put("a.txt", "zzz", check=204)


def test_lock_of_a_folder(dav: Dav) -> None:
    """A folder's lock covers what is in it, and shows in its children's lockdiscovery."""
    dav.mkcol("d", check=201)
    dav.put("d/a.txt", "a", check=201)
    token = dav.lock("d", check=200).token
    dav.put("d/a.txt", "b", check=423)
    dav.put("d/new.txt", "b", check=423)
    held = {"If": f"<{dav.url('d')}> (<{token}>)"}
    dav.put("d/new.txt", "b", headers=held, check=201)
    assert token in dav.propfind("d/a.txt", body="<D:lockdiscovery/>", check=207).one["lockdiscovery"]
    dav.unlock("d/a.txt", token, check=204)
    dav.delete("d", check=204)


def test_methods(dav: Dav, file: str) -> None:
    """OPTIONS on what is not there and on the server; unknown methods tell what is known."""
    assert "LOCK" in dav.options("not-there.docx", check=200).header("Allow")
    # nginx does not pass it on; the configuration in docs/operations.md has it answer by itself
    assert dav.options("*", check=200).header("DAV").startswith("1, 2")
    assert "PROPFIND" in dav.request("POST", "a.txt", body="x", check=405).header("Allow")
    dav.request("PATCH", "a.txt", body="x", check=501)


@pytest.mark.parametrize("path", ["%2e%2e/%2e%2e/etc/passwd", "a%2Fb", "%ff", "a%00b"])
def test_paths_that_are_none(dav: Dav, path: str) -> None:
    """Dot segments, encoded slashes, bytes that are no UTF-8: a whole answer, and no file of the machine."""
    answer = dav.get(path, check=400)
    assert int(answer.header("Content-Length")) == len(answer.body)


@pytest.mark.parametrize("name", ["CON", "x.", "%20x", "a%01b", "x_vti_y", ".lock"])
def test_names_that_cannot_be_stored(dav: Dav, name: str) -> None:
    """A name that OneDrive refuses is refused before anything is sent, with the reason."""
    assert "OneDrive cannot store" in dav.put(name, "x", check=403).text


def test_names_with_look_alikes(dav: Dav) -> None:
    """`: ? * < > | "` are stored as their full-width look-alikes, and found under both."""
    dav.put("what%3F%20a%3Ab.txt", "x", check=201)
    assert dav.get("what%3F%20a%3Ab.txt", check=200).body == b"x"
    assert dav.get("what%EF%BC%9F%20a%EF%BC%9Ab.txt", check=200).body == b"x"


@pytest.mark.parametrize(
    "name",
    ["a%20b", "a%23b", "a%25b", "a%2541", "a&b", "a%2Bb", "a+b", "a;b", "a'b", "a[b]", "(a)!", "~a@=,", "%F0%9F%A6%8A"],
)
def test_escapes_round_trip(dav: Dav, name: str) -> None:
    """Each name comes back in the listing as an href that gets the same bytes."""
    dav.put(name + ".txt", name, check=201)
    _, child = dav.propfind("", depth=1, check=207).resources
    assert dav.get(child.href, check=200).body == name.encode()


def test_hrefs_repeat_the_request(dav: Dav, mount: str) -> None:
    """A folder asked for in another case is listed under the spelling that was asked for (WinSCP compares)."""
    dav.mkcol("Docs", check=201)
    dav.put("Docs/a.txt", "x", check=201)
    listing = dav.propfind("DOCS", depth=1, check=207)
    assert [one.href for one in listing.resources] == [dav.path("DOCS/"), dav.path("DOCS/a.txt")]


def test_if_match_on_every_write(dav: Dav, file: str) -> None:
    """A false If-Match stops MOVE, COPY, PROPPATCH and DELETE as it stops PUT; a true one does not."""
    wrong, right = {"If-Match": '"wrong"'}, {"If-Match": file}
    dav.move("a.txt", "b.txt", headers=wrong, check=412)
    dav.copy("a.txt", "b.txt", headers=wrong, check=412)
    dav.proppatch("a.txt", "<x:a>1</x:a>", headers=wrong, check=412)
    dav.delete("a.txt", headers=wrong, check=412)
    dav.get("b.txt", check=404)
    dav.copy("a.txt", "b.txt", headers=right, check=201)
    dav.proppatch("a.txt", "<x:a>1</x:a>", headers=right, check=207)
    dav.move("a.txt", "c.txt", headers=right, check=201)


def test_delete_of_a_file_that_changed_elsewhere(dav: Dav, world: World, mount: str, file: str) -> None:
    """A DELETE with If-Match spares a file that another program has just changed at Microsoft."""
    dav.head("a.txt", check=200)
    world.emulator.drive(MOUNTS[mount]).put("/P/a.txt", b"from elsewhere")
    dav.delete("a.txt", headers={"If-Match": file}, check=412)
    world.forget()
    assert dav.get("a.txt", check=200).body == b"from elsewhere"


def test_refused_lock_leaves_nothing(dav: Dav) -> None:
    """A LOCK of a free name that is refused makes no file, and one without a parent leaves no lock."""
    dav.mkcol("d", check=201)
    token = dav.lock("d", check=200).token
    dav.lock("d/new.txt", headers={"If": f"<{dav.url('d')}> (<{token}>)"}, check=423)
    dav.head("d/new.txt", check=404)
    dav.unlock("d", token, check=204)
    dav.lock("no/parent.txt", check=409)
    dav.mkcol("no", check=201)
    dav.put("no/parent.txt", "abc", check=201)


def test_proppatch_all_or_nothing(dav: Dav, file: str) -> None:
    """A property that is too large leaves the file's time alone, too."""
    before = dav.head("a.txt", check=200).header("Last-Modified")
    times = "<D:getlastmodified>Mon, 03 Feb 2020 04:05:06 GMT</D:getlastmodified>"
    dav.proppatch("a.txt", f"{times}<x:a>{'y' * 20_000}</x:a>", check=507)
    dav.proppatch("a.txt", times + "".join(f"<x:p{number}/>" for number in range(101)), check=507)
    assert dav.head("a.txt", check=200).header("Last-Modified") == before


def test_proppatch_skips_what_it_does_not_know(dav: Dav, file: str) -> None:
    """An element that is neither set nor remove changes nothing."""
    dav.request(
        "PROPPATCH",
        "a.txt",
        body='<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:keep><D:prop><x:a>1</x:a></D:prop></D:keep>'
        "<D:set><D:prop><x:b>2</x:b></D:prop></D:set></D:propertyupdate>",
        check=207,
    )
    found = dav.propfind("a.txt", body="<x:a/><x:b/>", check=207).one
    assert found.missing == {"{urn:x}a"}
    assert found["{urn:x}b"] == "2"


def test_head_has_no_ranges(dav: Dav, file: str) -> None:
    """Range is for GET; a HEAD tells the whole file's length, whatever range it names (RFC 9110 §14.2)."""
    for span in ("bytes=0-1", "bytes=100-"):
        assert dav.head("a.txt", headers={"Range": span}, check=200).header("Content-Length") == "3"


def test_if_range_of_a_file_that_changed_elsewhere(dav: Dav, world: World, mount: str, file: str) -> None:
    """The whole new version, and no 412, when the file has changed since the bridge last looked."""
    dav.get("a.txt", check=200)
    world.emulator.drive(MOUNTS[mount]).put("/P/a.txt", b"from elsewhere")
    answer = dav.get("a.txt", headers={"Range": "bytes=1-", "If-Range": file}, check=200)
    assert answer.body == b"from elsewhere"
    assert answer.etag != file


def test_destination_that_is_not_encoded(dav: Dav, file: str) -> None:
    """Plain UTF-8 in Destination and If names what the same characters name when they are encoded."""
    dav.copy("a.txt", "é.txt", check=201)
    assert dav.get("%C3%A9.txt", check=200).body == b"abc"
    token = dav.lock("%C3%A9.txt", check=200).token
    dav.put("%C3%A9.txt", "new", headers={"If": f"<{dav.url('é.txt')}> (<{token}>)"}, check=204)
