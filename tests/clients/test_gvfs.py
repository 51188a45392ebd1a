"""GNOME: GVfs, Nautilus, gio."""

from __future__ import annotations

from tests.support.dav import Dav

NAMES = (
    "<D:creationdate/><D:displayname/><D:getcontentlength/><D:getcontenttype/><D:getetag/><D:getlastmodified/>"
    "<D:resourcetype/>"
)


def test_session(dav: Dav) -> None:
    """Mount, copy in with a time, save guarded by the ETag, rename, copy, delete item by item."""
    gvfs = dav.as_agent("gvfs/1.57.2", Accept_Encoding="gzip, deflate")
    gvfs.options("", anonymous=True, check=200)
    assert gvfs.options("", check=200).header("DAV").startswith("1")
    gvfs.propfind("", depth=1, body="<D:resourcetype/><D:getcontentlength/>", check=207)
    gvfs.propfind("", body="<D:quota-available-bytes/><D:quota-used-bytes/>", check=207)
    gvfs.propfind("new.bin", body=NAMES, check=404)
    stored = gvfs.put("new.bin", bytes(20_000), headers={"Overwrite": "T", "X-OC-Mtime": "1580702706"}, check=201)
    assert stored.header("X-OC-Mtime") == "accepted"
    shown = gvfs.propfind("new.bin", body=NAMES, check=207).one
    assert shown["getlastmodified"] == "Mon, 03 Feb 2020 04:05:06 GMT"
    assert shown["displayname"] == "new.bin"
    assert shown["getetag"] == stored.etag
    gvfs.head("new.bin", headers={"If-Match": '"wrong"'}, check=412)
    gvfs.put("new.bin", "lost update", headers={"If-Match": '"wrong"'}, check=412)
    etag = gvfs.head("new.bin", check=200).etag
    assert etag == stored.etag
    gvfs.put("new.bin", "saved", headers={"If-Match": etag}, check=204)
    gvfs.mkcol("sub/", check=201)
    gvfs.move("new.bin", "sub/renamed.bin", headers={"Overwrite": "F"}, check=201)
    gvfs.copy("sub/renamed.bin", "copy.bin", headers={"Overwrite": "T"}, check=201)
    assert gvfs.get("copy.bin", check=200).body == b"saved"
    gvfs.propfind("copy.bin", depth=1, body="<D:resourcetype/>", check=207)
    for path in ("copy.bin", "sub/renamed.bin", "sub"):
        gvfs.delete(path, check=204)
    assert [one.href for one in gvfs.propfind("", depth=1, check=207).resources] == [gvfs.path("")]


def test_unquoted_if_match(dav: Dav) -> None:
    """An older gvfs repeats an ETag without its quotes."""
    etag = dav.put("a.txt", "one", check=201).etag
    dav.put("a.txt", "two", headers={"If-Match": etag.strip('"')}, check=204)
