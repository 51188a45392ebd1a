"""Microsoft Office: a document opened from its https address, and the dance on a mapped drive."""

from __future__ import annotations

import re

from tests.support.dav import D, Dav
from tests.support.world import MOUNTS, World

WORD = "Microsoft Office Word 2014"
DISCOVERY = "Microsoft Office Protocol Discovery"


def test_word_opens_edits_saves(dav: Dav) -> None:
    """Discovery, LOCK, GET, refresh, two ways to save, UNLOCK; a second editor sees who has it."""
    dav.put("Doc1.docx", bytes(9000), check=201)
    word = dav.as_agent(WORD, X_Office_Major_Version="16")
    discovery = word.as_agent(DISCOVERY)
    discovery.options("", headers={"Authorization": "Bearer"}, check=200)
    answer = discovery.options("", check=200)
    assert re.match(r"1\b.*\b2\b", answer.header("DAV"))
    assert answer.header("MS-Author-Via") == "DAV"
    assert not {"x-msdavext", "microsoftsharepointteamservices"} & {name.lower() for name in answer.headers}
    found = word.as_agent("Microsoft Office Existence Discovery").head("Doc1.docx", check=200)
    assert found.header("Content-Length") == "9000"
    assert found.etag.startswith('"')
    token = word.lock("Doc1.docx", owner="CORP\\alice", headers={"Timeout": "Second-3600"}, check=200).token
    assert len(word.get("Doc1.docx", headers={"Translate": "f", "Depth": "0"}, check=200).body) == 9000
    refused = word.lock("Doc1.docx", owner="CORP\\bob", check=423)
    assert "no-conflicting-lock" in refused.text
    holder = word.propfind("Doc1.docx", body="<D:lockdiscovery/>", check=207).one["lockdiscovery"]
    assert "CORP\\alice" in holder
    refreshed = word.request("LOCK", "Doc1.docx", headers={"If": f"(<{token}>)", "Content-Length": "0"}, check=200)
    assert token in refreshed.text
    word.put("Doc1.docx", bytes(9100), headers={"If": f"(<{token}>)"}, check=204)
    word.put("Doc1.docx", bytes(9200), headers={"Lock-Token": f"<{token}>"}, check=204)
    word.unlock("Doc1.docx", token, check=204)
    assert word.head("Doc1.docx", check=200).header("Content-Length") == "9200"


def test_save_through_a_temporary_file(dav: Dav, world: World, mount: str) -> None:
    """Excel on a mapped drive: the temporary file's bytes become a new version of the document, whose id is kept."""
    drive = world.emulator.drive(MOUNTS[mount])
    dav.put("Book.xlsx", b"old", check=201)
    before = drive.item("/P/Book.xlsx").id
    excel = dav.as_agent("Microsoft-WebDAV-MiniRedir/10.0.22631", translate="f")
    excel.put("34429E5E.tmp", b"", check=201)
    token = excel.lock("34429E5E.tmp", check=200).token
    excel.put("34429E5E.tmp", b"new", headers={"If": f"(<{token}>)"}, check=204)
    # the If speaks of the source alone (RFC 4918 §10.4.2): the target is neither locked nor asked
    held = {"If": f"(<{token}>)", "Overwrite": "T"}
    excel.move("34429E5E.tmp", "Book.xlsx", headers=held, check=204)
    assert drive.read("/P/Book.xlsx") == b"new"
    assert drive.versions("/P/Book.xlsx") == [b"old"]
    assert drive.item("/P/Book.xlsx").id == before
    assert not drive.exists("/P/34429E5E.tmp")


def test_owner_file(dav: Dav, world: World, mount: str) -> None:
    """`~$` files work like any file, and are never sent to OneDrive, which refuses them."""
    name = "~$Book.xlsx"
    dav.propfind(name, check=404)
    dav.put(name, b"", check=201)
    token = dav.lock(name, check=200).token
    dav.put(name, bytes(165), headers={"If": f"(<{token}>)"}, check=204)
    hidden = "<Z:Win32FileAttributes>00000022</Z:Win32FileAttributes>"
    dav.proppatch(name, hidden, headers={"If": f"(<{token}>)"}, check=207)
    dav.unlock(name, token, check=204)
    assert dav.get(name, check=200).body == bytes(165)
    names = [resource["displayname"] for resource in dav.propfind("", depth=1, check=207).resources]
    assert name in names
    assert world.emulator.drive(MOUNTS[mount]).tree() == {"/P": None}
    dav.delete(name, check=204)
    dav.propfind(name, check=404)


def test_etag_stays_under_lock_and_properties(dav: Dav) -> None:
    """LOCK, PROPPATCH of a dead property and UNLOCK leave the ETag alone."""
    first = dav.put("a.docx", b"abc", check=201).etag
    token = dav.lock("a.docx", check=200).token
    dav.proppatch("a.docx", "<x:colour>blue</x:colour>", headers={"If": f"(<{token}>)"}, check=207)
    dav.unlock("a.docx", token, check=204)
    assert dav.head("a.docx", check=200).etag == first
    assert dav.propfind("a.docx", body="<D:getetag/>", check=207).one[D + "getetag"] == first
