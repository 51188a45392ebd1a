"""Windows Explorer: the WebClient service (Mini-Redirector)."""

from __future__ import annotations

import re

import pytest

from tests.support.dav import D, Dav

AGENT = "Microsoft-WebDAV-MiniRedir/10.0.22631"
Z = "{urn:schemas-microsoft-com:}"
MODIFIED = "Tue, 03 Mar 2026 09:10:11 GMT"


@pytest.fixture
def explorer(dav: Dav) -> Dav:
    """Explorer in the test's folder."""
    return dav.as_agent(AGENT, translate="f")


def test_map_and_browse(explorer: Dav, mount: str) -> None:
    """A drive is mapped: OPTIONS without credentials, a challenge, then every level up to the root answers."""
    explorer.options("/", anonymous=True, headers={"User-Agent": "DavClnt"}, check=200)
    explorer.options("", anonymous=True, check=200)
    challenge = explorer.propfind("", body="", anonymous=True, check=401).header("WWW-Authenticate")
    assert challenge == 'Basic realm="davbridge", charset="UTF-8"'
    answer = explorer.options("", check=200)
    assert re.match(r"1\b.*\b2\b", answer.header("DAV"))
    assert answer.header("MS-Author-Via") == "DAV"
    assert {"PROPFIND", "LOCK", "PUT", "MKCOL"} <= set(answer.header("Allow").split(", "))
    for path in ("/", f"/{mount}", f"/{mount}/P"):
        found = explorer.propfind(path, depth=0, check=207)
        assert '<D:multistatus xmlns:D="DAV:">' in found.text
        assert "<D:collection/>" in found.text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found.one["creationdate"])
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", found.one["getlastmodified"])
    explorer.propfind("", depth=1, check=207)


@pytest.mark.parametrize("name", ["desktop.ini", "Thumbs.db", "folder.jpg", "autorun.inf"])
def test_decoration_probes(explorer: Dav, name: str) -> None:
    """What the shell looks for in every folder is a plain 404."""
    explorer.propfind(name, check=404)


def test_copy_in(explorer: Dav) -> None:
    """A dropped file: empty PUT, LOCK, properties, content, properties, UNLOCK; the file keeps its own date."""
    name = "Report%20%231%20%26%20co.txt"
    explorer.propfind(name, check=404)
    explorer.put(name, b"", check=201)
    locked = explorer.lock(name, owner="DESKTOP-1\\alice", headers={"Timeout": "Second-3600"}, check=200)
    assert "<D:timeout>Second-3600</D:timeout>" in locked.text
    held = {"If": f"(<{locked.token}>)"}
    times = "<Z:Win32CreationTime>Mon, 02 Mar 2026 08:00:00 GMT</Z:Win32CreationTime>"
    times += f"<Z:Win32LastModifiedTime>{MODIFIED}</Z:Win32LastModifiedTime>"
    times += "<Z:Win32FileAttributes>00000000</Z:Win32FileAttributes>"
    assert set(explorer.proppatch(name, times, headers=held, check=207).one.statuses.values()) == {200}
    assert explorer.head(name, check=200).header("Content-Length") == "0"
    explorer.put(name, bytes(20_000), headers=held, check=204)
    last = f"<Z:Win32LastModifiedTime>{MODIFIED}</Z:Win32LastModifiedTime>"
    last += "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>"
    assert set(explorer.proppatch(name, last, headers=held, check=207).one.statuses.values()) == {200}
    explorer.unlock(name, locked.token, check=204)
    shown = explorer.propfind(name, check=207).one
    assert shown["getlastmodified"] == MODIFIED
    assert shown["getcontentlength"] == "20000"
    assert shown[Z + "Win32FileAttributes"] == "00000020"
    assert shown.href.endswith("/Report%20%231%20%26%20co.txt")
    assert explorer.get(name, check=200).body == bytes(20_000)


def test_copy_in_makes_one_version(explorer: Dav, world: object, mount: str) -> None:
    """The empty PUT of a copy never reaches the drive: the history begins with the content."""
    from tests.support.world import MOUNTS, World

    assert isinstance(world, World)
    drive = world.emulator.drive(MOUNTS[mount])
    explorer.put("a.txt", b"", check=201)
    assert not drive.exists("/P/a.txt")
    token = explorer.lock("a.txt", check=200).token
    explorer.put("a.txt", b"content", headers={"If": f"(<{token}>)"}, check=204)
    explorer.unlock("a.txt", token, check=204)
    assert drive.read("/P/a.txt") == b"content"
    assert drive.versions("/P/a.txt") == []


def test_folder_rename_delete(explorer: Dav) -> None:
    """New folder, rename, rename in case only, no overwriting, delete: all without a redirect."""
    explorer.propfind("New%20folder", check=404)
    explorer.mkcol("New%20folder", check=201)
    explorer.proppatch("New%20folder", "<Z:Win32FileAttributes>00000010</Z:Win32FileAttributes>", check=207)
    assert "collection" in explorer.propfind("New%20folder", check=207).one["resourcetype"]
    kept = {"Overwrite": "F"}
    explorer.move("New%20folder", "Projects", headers=kept, check=201)
    explorer.propfind("Projects", depth=1, check=207)
    explorer.move("Projects", "projects", headers=kept, check=(201, 204))
    explorer.put("projects/a.txt", "one", check=201)
    explorer.put("projects/b.txt", "two", check=201)
    explorer.move("projects/a.txt", "projects/b.txt", headers=kept, check=412)
    explorer.delete("projects/a.txt", check=204)
    explorer.propfind("projects/a.txt", check=404)
    names = [resource["displayname"] for resource in explorer.propfind("", depth=1, check=207).resources]
    assert names == ["P", "projects"]
    explorer.delete("projects", check=204)


def test_allprop_is_short(explorer: Dav) -> None:
    """Explorer stops at a million bytes a folder, so its allprop leaves out ETags and locks."""
    explorer.put("a.txt", "x", check=201)
    shown = explorer.propfind("a.txt", check=207).one
    assert D + "supportedlock" not in shown.found
    assert D + "getetag" not in shown.found
    assert len(explorer.propfind("", depth=1, check=207).resources[1].found) <= 7
