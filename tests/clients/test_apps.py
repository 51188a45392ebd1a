"""Apps that keep their data on WebDAV: Joplin, Zotero, KeePass, DAVx5, npm, WinSCP, Cyberduck, KIO, Nextcloud's."""

from __future__ import annotations

import uuid

from tests.support.dav import Dav
from tests.support.world import MOUNTS, World


def test_joplin(dav: Dav) -> None:
    """A made-up If-None-Match on everything does no harm."""
    joplin = dav.as_agent("Joplin/1.0", If_None_Match="JoplinIgnore-1", Cache_Control="no-store")
    joplin.mkcol("notes", check=201)
    joplin.put("notes/1.md", "one", check=201)
    joplin.put("notes/1.md", "two", check=204)
    assert len(joplin.propfind("notes/", depth=1, check=207).resources) == 2
    joplin.delete("notes/1.md", check=204)
    joplin.delete("notes/1.md", check=404)


def test_zotero(dav: Dav) -> None:
    """Its set-up: a missing file is 404, a stored one is readable at once."""
    zotero = dav.as_agent("Zotero/7")
    zotero.mkcol("zotero/", check=201)
    zotero.get("zotero/nonexistent.prop", check=404)
    zotero.put("zotero/zotero-test-file.prop", " ", check=201)
    assert zotero.get("zotero/zotero-test-file.prop", check=200).body == b" "
    zotero.delete("zotero/zotero-test-file.prop", check=204)


def test_keepass_transaction(dav: Dav, world: World, mount: str) -> None:
    """PUT beside and MOVE over: the database keeps its id, and its history grows."""
    drive = world.emulator.drive(MOUNTS[mount])
    dav.put("db.kdbx", b"one", check=201)
    before = drive.item("/P/db.kdbx").id
    dav.put("db.kdbx.tmp", b"two", check=201)
    dav.move("db.kdbx.tmp", "db.kdbx", check=204)
    assert dav.get("db.kdbx", check=200).body == b"two"
    assert drive.item("/P/db.kdbx").id == before
    assert drive.versions("/P/db.kdbx") == [b"one"]


def test_davx5_creates(dav: Dav) -> None:
    """An empty PUT that must not overwrite, and an upload without a length."""
    davx5 = dav.as_agent("DAVx5/4.5 (at.bitfire.davdroid)")
    davx5.put("new.bin", b"", headers={"If-None-Match": "*"}, check=201)
    davx5.put("new.bin", b"", headers={"If-None-Match": "*"}, check=412)
    davx5.put("new.bin", [b"one", b"two"], check=204)
    assert davx5.get("new.bin", check=200).body == b"onetwo"


def test_npm_webdav_locks(dav: Dav) -> None:
    """An endless Timeout, and UNLOCK with a bare token."""
    dav.put("a.txt", "x", check=201)
    locked = dav.lock(
        "a.txt", headers={"Timeout": "Infinite, Second-4100000000", "Content-Type": "text/plain"}, check=200
    )
    dav.request("UNLOCK", "a.txt", headers={"Lock-Token": locked.token}, check=204)


def test_winscp_sets_the_time(dav: Dav) -> None:
    """getlastmodified by PROPPATCH, with a day that is not padded."""
    dav.put("a.txt", "x", check=201)
    dav.proppatch("a.txt", "<D:getlastmodified>Tue, 3 Mar 2026 09:10:11 GMT</D:getlastmodified>", check=207)
    assert dav.head("a.txt", check=200).header("Last-Modified") == "Tue, 03 Mar 2026 09:10:11 GMT"


def test_cyberduck_properties(dav: Dav) -> None:
    """Properties of its own namespace are kept, follow a move, and vanish with the file."""
    dav.put("a.txt", "x", check=201)
    own = '<s:lastmodified xmlns:s="SAR:">Tue, 03 Mar 2026 09:10:11 GMT</s:lastmodified>'
    dav.proppatch("a.txt", own, check=207)
    dav.move("a.txt", "b.txt", check=201)
    assert dav.propfind("b.txt", check=207).one["{SAR:}lastmodified"] == "Tue, 03 Mar 2026 09:10:11 GMT"
    dav.delete("b.txt", check=204)
    dav.put("b.txt", "y", check=201)
    assert "{SAR:}lastmodified" not in dav.propfind("b.txt", check=207).one.found


def test_proppatch_is_atomic(dav: Dav) -> None:
    """With a protected property in it, none is set."""
    dav.put("a.txt", "x", check=201)
    answer = dav.proppatch("a.txt", "<D:getetag>1</D:getetag><x:p>2</x:p>", check=207).one
    assert answer.statuses == {"{DAV:}getetag": 403, "{urn:x}p": 424}
    assert "{urn:x}p" not in dav.propfind("a.txt", check=207).one.found


def test_kio_asks_twice(dav: Dav) -> None:
    """KDE sends each request without credentials first, upload bodies too; the connection stays usable."""
    kio = dav.as_agent("Mozilla/5.0 (X11; Linux x86_64) KIO/6.13 kioworker/6.13.0")
    for size in (10, 60_000, 3_000_000):
        kio.put("k.bin", bytes(size), anonymous=True, check=401)
        kio.put("k.bin", bytes(size), check=(201, 204))


def test_browser(dav: Dav) -> None:
    """A folder is a page without a script, an HTML file is not run in our name."""
    browser = dav.as_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Accept="text/html")
    browser.put("%3Cimg%20onerror=alert(1)%3E%20&.html", "<script>alert(1)</script>", check=201)
    page = browser.get("", check=200)
    assert "Modified (UTC)" in page.text
    assert page.header("Content-Security-Policy").startswith("default-src 'none'")
    assert "<img" not in page.text
    assert "<script" not in page.text
    assert "&amp;.html" in page.text
    file = browser.get("%3Cimg%20onerror=alert(1)%3E%20&.html", check=200)
    assert file.header("Content-Security-Policy") == "sandbox; default-src 'none'"
    assert file.header("Content-Disposition").startswith("attachment")
    assert file.header("X-Content-Type-Options") == "nosniff"


def test_head_without_a_password(dav: Dav) -> None:
    """The 401 of a HEAD has no body, so that the same connection can be used with a password then."""
    dav.put("a.txt", "abc", check=201)
    connection = dav._wire.open()
    for headers, status in (({}, 401), ({"Authorization": dav.auth or ""}, 200)):
        connection.request("HEAD", dav.path("a.txt"), headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status


def test_nextcloud_upload_in_chunks(dav: Dav) -> None:
    """MKCOL, chunks in any order, a listing that shows what has come, MOVE; the same once more replaces the file."""
    client = dav.as_agent("Mozilla/5.0 (Linux) mirall/3.16.7")
    target, upload = f"/remote.php/dav/files/alice{dav.root}big.bin", f"/remote.php/dav/uploads/alice/{uuid.uuid4()}"
    headers = {"Destination": client.url(target), "OC-Total-Length": "30"}
    for content, status in ((b"abc", 201), (b"xyz", 204)):
        client.mkcol(upload, headers=headers, check=201)
        client.mkcol(upload, check=405)
        for number in (2, 1):
            client.put(f"{upload}/{number:05}", content[number - 1 : number] * 10, headers=headers, check=201)
        sizes = client.propfind(f"{upload}/", depth=1, body="<D:getcontentlength/>", check=207).resources
        assert {one.href: one.found for one in sizes[1:]} == {
            f"{upload}/{number:05}": {"{DAV:}getcontentlength": "10"} for number in (1, 2)
        }
        client.put(f"{upload}/00003", content[2:] * 10, headers=headers, check=201)
        moved = client.move(f"{upload}/.file", target, headers={**headers, "X-OC-Mtime": "1580702706"}, check=status)
        assert moved.etag
        assert moved.header("OC-ETag") == moved.etag
        assert moved.header("OC-FileId")
        assert moved.header("X-OC-Mtime") == "accepted"
        client.propfind(upload, check=404)
        for address in (target, "big.bin"):
            got = client.get(address, check=200)
            assert got.body == b"".join(content[place : place + 1] * 10 for place in range(3))
            assert got.etag == moved.etag
            assert got.header("Last-Modified") == "Mon, 03 Feb 2020 04:05:06 GMT"


def test_nextcloud_address_of_files(dav: Dav) -> None:
    """A mount below a user's name is that mount: listings repeat the address, locks hold on both, moves stay in it."""
    files = dav.at(f"/remote.php/dav/files/alice{dav.root}")
    files.mkcol("sub", check=201)
    files.put("sub/a%20b.txt", b"text", check=201)
    token = dav.lock("sub/a%20b.txt", check=200).token
    files.put("sub/a%20b.txt", b"other", check=423)
    dav.unlock("sub/a%20b.txt", token, check=204)
    files.move("sub/a%20b.txt", "c.txt", check=201)
    listed = files.propfind("", depth=1, check=207).resources
    assert sorted(one.href for one in listed) == [files.root, f"{files.root}c.txt", f"{files.root}sub/"]
    assert dav.get("c.txt", check=200).body == b"text"
    mount = dav.root.split("/")[1]
    above = files.propfind("/remote.php/dav/files/alice/", depth=1, check=207).resources
    assert f"/remote.php/dav/files/alice/{mount}/" in [one.href for one in above]
    for level in ("/remote.php", "/remote.php/dav/", "/remote.php/dav/uploads/alice/"):
        files.propfind(level, check=207)
    assert "/remote.php/" not in [one.href for one in files.propfind("/", depth=1, check=207).resources]
