"""rclone's WebDAV backend, vendors `other` and `nextcloud`."""

from __future__ import annotations

from tests.support.dav import Dav


def test_vendor_other(dav: Dav) -> None:
    """PROPFIND without body and Depth 1 on files; 405 for a folder that is there; a range; move and copy."""
    rclone = dav.as_agent("rclone/v1.60.1", Referer=dav.url(""))
    rclone.propfind("r1.bin", depth=1, check=404)
    rclone.mkcol("", check=405)
    rclone.put("r1.bin", bytes(range(200)) * 100, check=201)
    assert rclone.propfind("r1.bin", depth=1, check=207).one["getcontentlength"] == "20000"
    part = rclone.get("r1.bin", headers={"Depth": "0", "Range": "bytes=1000-1009"}, check=206)
    assert part.header("Content-Range") == "bytes 1000-1009/20000"
    assert part.body == bytes(range(10))
    rclone.move("r1.bin", "r2.bin", headers={"Overwrite": "F"}, check=201)
    rclone.copy("r2.bin", "r3.bin", headers={"Overwrite": "F"}, check=201)


def test_vendor_nextcloud(dav: Dav) -> None:
    """The time travels with the upload, or comes afterwards as POSIX seconds."""
    rclone = dav.as_agent("rclone/v1.68.2")
    headers = {"OC-Checksum": "SHA1:b6589fc6ab0dc82cf12099d1c2d40ab994e8410c", "X-OC-Mtime": "1580702706"}
    assert rclone.put("nc.bin", "0", headers=headers, check=201).header("X-OC-Mtime") == "accepted"
    shown = rclone.propfind("nc.bin", depth=1, body="<D:getlastmodified/>", check=207).one
    assert shown["getlastmodified"] == "Mon, 03 Feb 2020 04:05:06 GMT"
    rclone.proppatch("nc.bin", "<D:lastmodified>1600000000</D:lastmodified>", check=207)
    shown = rclone.propfind("nc.bin", body="<D:getlastmodified/>", check=207).one
    assert shown["getlastmodified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    rclone.delete("nc.bin", check=204)
