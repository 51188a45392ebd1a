"""davfs2: locks on free names, ETags that stay, lower-case escapes."""

from __future__ import annotations

from tests.support.dav import Dav

NAME = "n%c3%bc%20%28y%29%23%2b%25%3b.txt"
LISTED = (
    "<D:resourcetype/><D:getcontentlength/><D:getetag/><D:getlastmodified/>"
    '<executable xmlns="http://apache.org/dav/props/"/>'
)


def test_session(dav: Dav) -> None:
    """Create by LOCK, edit, rename a locked temporary file over the original, chmod, delete."""
    davfs = dav.as_agent("davfs2/1.7.1 neon/0.34.2", TE="trailers")
    davfs.propfind("", depth=1, body=LISTED, check=207)
    token = davfs.lock(NAME, headers={"Depth": "0", "Timeout": "Second-1800"}, check=201).token
    empty = davfs.head(NAME, check=200)
    assert (empty.header("Content-Length"), empty.etag[:1]) == ("0", '"')
    held = {"If-Match": empty.etag, "If": f"<{davfs.url(NAME)}> (<{token}>)"}
    etag = davfs.put(NAME, "new", headers=held, check=204).etag
    davfs.unlock(NAME, token, check=204)

    token = davfs.lock(NAME, headers={"Depth": "0"}, check=200).token
    davfs.get(NAME, headers={"If-None-Match": etag}, check=304)
    held = {"If-Match": etag, "If": f"<{davfs.url(NAME)}> (<{token}>)"}
    davfs.put(NAME, "new more", headers=held, check=204)
    davfs.unlock(NAME, token, check=204)

    token = davfs.lock("n.txt.tmp", headers={"Depth": "0"}, check=201).token
    tagged = {"Overwrite": "T", "If": f"<{davfs.url('n.txt.tmp')}> (<{token}>)"}
    davfs.move("n.txt.tmp", NAME, headers=tagged, check=204)
    token = davfs.lock(NAME, headers={"Depth": "0"}, check=200).token
    etag = davfs.head(NAME, check=200).etag
    held = {"If-Match": etag, "If": f"<{davfs.url(NAME)}> (<{token}>)"}
    davfs.put(NAME, "final", headers=held, check=204)
    executable = '<executable xmlns="http://apache.org/dav/props/">T</executable>'
    davfs.proppatch(NAME, executable, headers={"If": held["If"]}, check=207)
    assert davfs.get(NAME, check=200).body == b"final"
    davfs.delete(NAME, headers={"If": held["If"]}, check=204)
    davfs.mkcol("d1/", check=201)
    davfs.delete("d1/", check=204)


def test_the_target_stays_locked_when_it_is_replaced(dav: Dav) -> None:
    """davfs2 holds the document's lock while it renames over it, and stores under that lock afterwards."""
    target = dav.lock("over.txt", headers={"Depth": "0"}, check=201).token
    source = dav.lock("t", headers={"Depth": "0"}, check=201).token
    both = f"<{dav.url('t')}> (<{source}>) <{dav.url('over.txt')}> (<{target}>)"
    dav.move("t", "over.txt", headers={"Overwrite": "T", "If": both}, check=204)
    dav.put("over.txt", "final", headers={"If": f"(<{target}>)"}, check=204)
    dav.unlock("over.txt", target, check=204)
    assert dav.get("over.txt", check=200).body == b"final"


def test_a_moved_folder_is_deleted_with_locks_of_before(dav: Dav) -> None:
    """davfs2 shows the lock that a file had before its folder moved (§7.6), and may move and delete the folder."""
    davfs = dav.as_agent("davfs2/1.7.1 neon/0.34.2", TE="trailers")
    davfs.mkcol("tree/", check=201)
    stale = davfs.lock("tree/x", headers={"Depth": "0"}, check=201).token
    davfs.move("tree", "V1", headers={"If": f"<{davfs.url('tree/x')}> (<{stale}>)"}, check=201)
    held = {"If": f"<{davfs.url('V1/x')}> (<{stale}>)"}
    dav.move("V1", "V2", headers=held, check=412)
    davfs.move("V1", "V2", headers=held, check=201)
    held = {"If": f"<{davfs.url('V2/x')}> (<{stale}>)"}
    dav.delete("V2/", headers=held, check=412)
    davfs.delete("V2/x", headers=held, check=412)
    lock = davfs.lock("V2/y", check=(200, 201)).token
    wrong = f"<{davfs.url('V2/x')}> (<{lock}>)"
    davfs.delete("V2/", headers={"If": wrong}, check=412)
    davfs.delete("V2/", headers=held, check=423)
    davfs.delete("V2/", headers={"If": f"{held['If']} <{davfs.url('V2/y')}> (<{lock}>)"}, check=204)


def test_names_are_listed_as_they_were_sent(dav: Dav) -> None:
    """davfs2 compares bytes: a folder that is listed composed where it was made decomposed loses its unsent files."""
    folder = "de%cc%81compose%cc%81"
    dav.mkcol(f"{folder}/", check=201)
    dav.put(f"{folder}/a%cc%8a.txt", "x", check=201)
    dav.move(f"{folder}/a%cc%8a.txt", f"{folder}/o%cc%88.txt", check=201)
    assert [one["displayname"] for one in dav.propfind(depth=1, check=207).resources[1:]] == ["de\u0301compose\u0301"]
    assert [one["displayname"] for one in dav.propfind(f"{folder}/", depth=1, check=207).resources[1:]] == [
        "o\u0308.txt"
    ]
    assert dav.get("d%c3%a9compos%c3%a9/%c3%b6.txt", check=200).body == b"x"


def test_unlock_without_content(dav: Dav) -> None:
    """A name that was locked and never written is an empty file after the UNLOCK."""
    token = dav.lock("touched", check=201).token
    dav.unlock("touched", token, check=204)
    answer = dav.get("touched", check=200)
    assert answer.body == b""
