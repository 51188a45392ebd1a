"""Programs made for Nextcloud: its address of files, and an upload in chunks."""

from __future__ import annotations

import uuid

from tests.support.dav import Dav


def test_an_upload_in_chunks(dav: Dav) -> None:
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


def test_the_address_of_files(dav: Dav) -> None:
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
