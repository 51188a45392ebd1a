"""macOS Finder and every program on a volume that macOS has mounted (webdavfs)."""

from __future__ import annotations

import pytest

from tests.support.dav import D, Dav
from tests.support.world import MOUNTS, World

AGENT = "WebDAVFS/3.0.0 (03008000) Darwin/23.4.0 (x86_64)"
STAT = "<D:getlastmodified/><D:getcontentlength/><D:creationdate/><D:resourcetype/>"
QUOTA = "<D:quota-available-bytes/><D:quota-used-bytes/><D:quota/><D:quotaused/>"


@pytest.fixture
def finder(dav: Dav) -> Dav:
    """Finder in the test's folder."""
    return dav.as_agent(AGENT, Accept="*/*")


def test_mount(finder: Dav) -> None:
    """The mount is writable, the volume has a size, and each response element has one href."""
    finder.as_agent("WebDAVLib/1.3").options("", anonymous=True, check=200)
    assert finder.options("", check=200).header("DAV").startswith("1, 2")
    found = finder.propfind("", body=STAT, check=207)
    assert "collection" in found.one["resourcetype"]
    assert found.one.missing == {D + "getcontentlength"}
    quota = finder.propfind("", body=QUOTA, check=207).one
    assert int(quota["quota-available-bytes"]) > 0
    assert int(quota["quota-used-bytes"]) >= 0
    listing = finder.propfind("", depth=1, body=STAT, check=207)
    assert listing.text.count("<D:href>") == listing.text.count("<D:response>")


def test_new_macos_is_not_told_the_quota(finder: Dav) -> None:
    """macOS 15.4 (Darwin 24.4) takes 90 seconds to mount when it is told the quota."""
    newer = finder.as_agent("WebDAVFS/3.0.0 (03008000) Darwin/24.4.0 (arm64)")
    assert D + "quota-used-bytes" in newer.propfind("", body=QUOTA, check=207).one.missing


@pytest.mark.parametrize("name", [".DS_Store", "._.", ".metadata_never_index", ".hidden", "mach_kernel"])
def test_probes(finder: Dav, name: str) -> None:
    """What macOS looks for in every folder is a 404."""
    finder.propfind(name, body=STAT, check=404)


def test_copy_in(finder: Dav, world: World, mount: str) -> None:
    """Empty PUT, LOCK, chunked content with its length announced, UNLOCK; the decomposed name is found composed too."""
    name, composed = "cafe%CC%81%20%26%20%231.bin", "caf%C3%A9%20%26%20%231.bin"
    finder.propfind(name, body=STAT, check=404)
    finder.put(name, b"", check=201)
    locked = finder.lock(name, headers={"Depth": "0", "Timeout": "Second-600"}, check=200)
    assert "lockroot" not in locked.text
    content = [bytes([number]) * 8000 for number in range(30)]
    headers = {"X-Expected-Entity-Length": "240000", "If": f"(<{locked.token}>)"}
    stored = finder.put(name, content, headers=headers, check=204)
    assert stored.etag.startswith('"')
    assert finder.propfind(name, body="<D:getetag/>", check=207).one["getetag"] == stored.etag
    finder.unlock(name, locked.token, check=204)
    assert finder.head(name, check=200).header("Content-Length") == "240000"
    assert finder.get(composed, check=200).body == b"".join(content)
    assert world.emulator.drive(MOUNTS[mount]).versions("/P/café & #1.bin") == []


def test_apple_double(finder: Dav, world: World, mount: str) -> None:
    """The companion file is taken, served back, and kept out of OneDrive."""
    finder.put("._a.bin", b"", check=201)
    token = finder.lock("._a.bin", headers={"Depth": "0"}, check=200).token
    finder.put("._a.bin", bytes(4096), headers={"If": f"(<{token}>)"}, check=204)
    finder.unlock("._a.bin", token, check=204)
    assert finder.get("._a.bin", check=200).body == bytes(4096)
    assert world.emulator.drive(MOUNTS[mount]).tree() == {"/P": None}


def test_a_body_shorter_than_announced(finder: Dav) -> None:
    """A chunked body that ends before X-Expected-Entity-Length leaves the old file as it was."""
    finder.put("a.bin", b"old content", check=201)
    finder.put("a.bin", [b"new"], headers={"X-Expected-Entity-Length": "300000"}, check=400)
    assert finder.get("a.bin", check=200).body == b"old content"
