"""Upload sessions and downloads: every rule of facts Graph §2.7 and §3."""

from __future__ import annotations

import threading

import pytest
import requests

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api

UNIT = 327_680


def open_session(api: Api, drive: str, path: str = "a.bin", status: int = 200, **item: object) -> str:
    """The upload URL of a new session."""
    answer = api("POST", f"{drive}/root:/{path}:/createUploadSession", status, json={"item": item})
    return str(answer.json().get("uploadUrl", ""))


def send(api: Api, url: str, data: bytes, start: int, total: int, status: int, **headers: str):
    """One fragment."""
    span = f"bytes {start}-{start + len(data) - 1}/{total}"
    return api("PUT", url, status, data=data, headers={"Content-Range": span, **headers})


def test_a_session(api: Api, drive: str, emulator: Emulator) -> None:
    """Fragments in order, 202 with what is expected next, 201 with the item, and its own times."""
    times = {"lastModifiedDateTime": "2020-02-03T04:05:06Z"}
    url = open_session(api, drive, fileSystemInfo=times)
    total = 2 * UNIT + 100
    assert send(api, url, bytes(UNIT), 0, total, 202).json()["nextExpectedRanges"] == [f"{UNIT}-"]
    assert api("GET", url, 200).json()["nextExpectedRanges"] == [f"{UNIT}-"]
    send(api, url, bytes(UNIT), UNIT, total, 202)
    item = send(api, url, bytes(100), 2 * UNIT, total, 201).json()
    assert item["size"] == total
    assert item["fileSystemInfo"]["lastModifiedDateTime"].startswith("2020-02-03T04:05:06")
    api("GET", url, 404)


def test_the_url_takes_no_token(api: Api, business: str) -> None:
    """And it lies on another host than Graph."""
    url = open_session(api, business)
    assert url.startswith("https://127.0.0.1:")
    send(api, url, b"x", 0, 1, 401, Authorization="Bearer x")


@pytest.mark.parametrize(
    ("size", "start", "total", "status"),
    [
        (1000, 0, 5000, 400),  # no multiple of 320 KiB, and not the last
        (UNIT, UNIT, 3 * UNIT, 416),  # not the next one
    ],
)
def test_fragment_rules(api: Api, business: str, size: int, start: int, total: int, status: int) -> None:
    """Multiples of 320 KiB, in order."""
    send(api, open_session(api, business), bytes(size), start, total, status)


def test_total_must_stay(api: Api, business: str) -> None:
    """The same total in each fragment; a repeated fragment is 416."""
    url = open_session(api, business)
    send(api, url, bytes(UNIT), 0, 3 * UNIT, 202)
    send(api, url, bytes(UNIT), UNIT, 4 * UNIT, 400)
    send(api, url, bytes(UNIT), 0, 3 * UNIT, 416)


def test_malformed_ranges(api: Api, business: str) -> None:
    """No range, an unknown total, a length that does not fit, an empty file."""
    url = open_session(api, business)
    api("PUT", url, 400, data=b"x")
    for span in ("bytes 0-0/*", "bytes 0-5/10", "bytes 0--1/0"):
        api("PUT", url, 400, data=b"x", headers={"Content-Range": span})


def test_one_session_a_file(api: Api, business: str, personal: str) -> None:
    """Business has room for one; it is free again when the first is cancelled. Personal gives another."""
    url = open_session(api, business)
    open_session(api, business, status=409)
    api("PUT", f"{business}/root:/a.bin:/content", 409, data=b"x")
    api("DELETE", url, 204)
    open_session(api, business)
    open_session(api, personal)
    open_session(api, personal)


def test_conflicts(api: Api, business: str, personal: str) -> None:
    """`fail` on a taken name: at creation on business, at the end on personal."""
    fail = {"@microsoft.graph.conflictBehavior": "fail"}
    for drive in (business, personal):
        api("PUT", f"{drive}/root:/a.bin:/content", 201, data=b"old")
    open_session(api, business, status=409, **fail)
    send(api, open_session(api, personal, **fail), b"new", 0, 3, 409)


def test_sessions_expire(api: Api, emulator: Emulator, business: str) -> None:
    """After a quarter of an hour without a fragment."""
    url = open_session(api, business)
    emulator.clock.advance(1000)
    send(api, url, b"x", 0, 1, 404)


def test_quota_is_checked_when_the_size_is_told(api: Api, emulator: Emulator, business: str) -> None:
    """507 at once."""
    emulator.drive("business").drive.total = 100
    open_session(api, business, status=507, fileSize=1000)


def test_if_match_on_a_session(api: Api, business: str) -> None:
    """Opening it bumps the eTag, so the commit fails with 412 (ISS 1716)."""
    item = api("PUT", f"{business}/root:/a.bin:/content", 201, data=b"old").json()
    answer = api(
        "POST",
        f"{business}/root:/a.bin:/createUploadSession",
        200,
        json={"item": {"@microsoft.graph.conflictBehavior": "replace"}},
        headers={"If-Match": item["eTag"]},
    )
    send(api, answer.json()["uploadUrl"], b"new", 0, 3, 412)


def test_deferred_commit(api: Api, business: str) -> None:
    """Nothing is there before the POST."""
    body = {"item": {}, "deferCommit": True}
    url = api("POST", f"{business}/root:/a.bin:/createUploadSession", 200, json=body).json()["uploadUrl"]
    send(api, url, b"abc", 0, 3, 202)
    api("GET", f"{business}/root:/a.bin", 404)
    assert api("POST", url, 201, data=b"").json()["size"] == 3


def test_simple_put(api: Api, drive: str) -> None:
    """201 then 200; missing folders are made; zero bytes are fine; conflictBehavior in the query."""
    url = f"{drive}/root:/x/y/a.txt:/content"
    api("PUT", url, 201, data=b"")
    assert api("PUT", url, 200, data=b"abc").json()["size"] == 3
    api("PUT", url + "?@microsoft.graph.conflictBehavior=fail", 409, data=b"z")
    other = api("PUT", url + "?@microsoft.graph.conflictBehavior=rename", 201, data=b"z").json()
    assert other["name"] == "a 1.txt"


def test_download(api: Api, emulator: Emulator, drive: str) -> None:
    """302 to another host; no token there; ranges; an end for the URL."""
    item = api("PUT", f"{drive}/root:/a.txt:/content", 201, data=b"0123456789").json()
    url = api("GET", f"{drive}/items/{item['id']}/content", 302).headers["Location"]
    assert url.startswith("https://127.0.0.1:")
    whole = api("GET", url, 200)
    assert (whole.content, whole.headers["Accept-Ranges"]) == (b"0123456789", "bytes")
    part = api("GET", url, 206, headers={"Range": "bytes=2-4"})
    assert (part.content, part.headers["Content-Range"]) == (b"234", "bytes 2-4/10")
    assert api("GET", url, 416, headers={"Range": "bytes=10-"}).headers["Content-Range"] == "bytes */10"
    api("GET", url, 401, headers={"Authorization": "Bearer x"})
    api("GET", url.replace("tempauth=", "tempauth=0"), 401)
    emulator.clock.advance(400)
    assert api("GET", url).status_code in (401, 403)


def test_folders_have_no_content(api: Api, business: str) -> None:
    """400."""
    api("GET", f"{business}/root/content", 400)


def test_office_rewrite(api: Api, emulator: Emulator) -> None:
    """What the answer says is stale at once: SharePoint has made the document larger, and a version more."""
    emulator.quirks.office_rewrite = True
    drive = f"/drives/{emulator.drive('documents').id}"
    stored = api("PUT", f"{drive}/root:/a.docx:/content", 201, data=b"PK").json()
    now = api("GET", f"{drive}/items/{stored['id']}", 200).json()
    assert now["size"] > stored["size"]
    assert now["cTag"] != stored["cTag"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"J", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
        (b"a" * 1000, "cIADHOAABzjAAQ5waAAcgQhEIAI="),
        (b"The quick brown fox jumps over the lazy dog", "bMSlbysmxJL6S75XwfMcQZOpcr4="),
        (bytes(range(256)) * 5, "AAAAAAAAAAAAAAAAAAUAAAAAAAA="),
    ],
)
def test_quick_xor_hash(api: Api, business: str, data: bytes, expected: str) -> None:
    """The published vectors."""
    item = api("PUT", f"{business}/root:/a.bin:/content", 201, data=data).json()
    assert item["file"]["hashes"]["quickXorHash"] == expected


def test_a_deferred_commit_on_personal_drives(api: Api, personal: str) -> None:
    """Is a PUT to the folder with the session's URL, and no POST."""
    body = {"item": {}, "deferCommit": True}
    url = api("POST", f"{personal}/root:/d/a.bin:/createUploadSession", 200, json=body).json()["uploadUrl"]
    source = {"name": "a.bin", "@microsoft.graph.sourceUrl": url}
    api("PUT", f"{personal}/root:/d", 400, json=source)
    send(api, url, b"abc", 0, 3, 202)
    api("POST", url, 400, data=b"")
    assert api("PUT", f"{personal}/root:/d", 201, json=source).json()["size"] == 3
    api("PUT", f"{personal}/root:/d", 400, json=source)


def test_recovery_after_a_failed_commit(api: Api, emulator: Emulator, personal: str) -> None:
    """The session lives on: under another name, or once there is room."""
    api("PUT", f"{personal}/root:/a.bin:/content", 201, data=b"old")
    url = open_session(api, personal, **{"@microsoft.graph.conflictBehavior": "fail"})
    send(api, url, b"new", 0, 3, 409)
    send(api, url, b"new", 0, 3, 416)
    root = api("GET", f"{personal}/root", 200).json()["id"]
    source = {"name": "a.bin", "@microsoft.graph.sourceUrl": url}
    api("PUT", f"{personal}/items/{root}", 409, json=source)
    source["@microsoft.graph.conflictBehavior"] = "rename"
    assert api("PUT", f"{personal}/items/{root}", 201, json=source).json()["name"] == "a 1.bin"
    api("GET", url, 404)
    url = open_session(api, personal, "b.bin")
    drive = emulator.drive("personal").drive
    drive.total = drive.used + 1
    send(api, url, b"new", 0, 3, 507)
    drive.total = drive.used + 10
    api("PUT", f"{personal}/items/{root}", 201, json={"name": "b.bin", "@microsoft.graph.sourceUrl": url})


def test_upload_from_elsewhere_is_retired(api: Api, business: str) -> None:
    """A sourceUrl is nothing but a session's (§3.7)."""
    body = {"name": "a", "@microsoft.graph.sourceUrl": "https://example.com/a"}
    assert api("PUT", f"{business}/root:/", 400, json=body).json()["error"]["code"] == "notSupported"


def test_if_none_match_on_a_session(api: Api, business: str) -> None:
    """412 when the item is still the one that the client knows."""
    item = api("PUT", f"{business}/root:/a.bin:/content", 201, data=b"old").json()
    url = f"{business}/root:/a.bin:/createUploadSession"
    api("POST", url, 412, json={"item": {}}, headers={"If-None-Match": item["eTag"]})
    api("POST", url, 200, json={"item": {}}, headers={"If-None-Match": '"other"'})


def test_an_open_session_blocks_uploads_by_id(api: Api, business: str) -> None:
    """As it blocks those by name."""
    item = api("PUT", f"{business}/root:/a.bin:/content", 201, data=b"old").json()
    open_session(api, business)
    api("PUT", f"{business}/items/{item['id']}/content", 409, data=b"new")


def test_a_precondition_holds_until_the_end(api: Api, emulator: Emulator, business: str) -> None:
    """An item that changes while the body is on its way is 412, not a lost update."""
    item = api("PUT", f"{business}/root:/a.bin:/content", 201, data=b"old").json()
    state = emulator.drive("business")
    sent, changed = threading.Event(), threading.Event()

    def body():
        yield b"a"
        sent.set()
        changed.wait(5)
        yield b"b"

    def change() -> None:
        sent.wait(5)
        state.put("/a.bin", b"other")
        changed.set()

    for url in (f"{business}/items/{item['id']}/content", f"{business}/root:/a.bin:/content"):
        tag = api("GET", f"{business}/items/{item['id']}", 200).json()["eTag"]
        sent.clear()
        changed.clear()
        other = threading.Thread(target=change)
        other.start()
        # a length, so that the body is not chunked
        request = api.session.prepare_request(requests.Request("PUT", emulator.graph_url + url, data=body()))
        del request.headers["Transfer-Encoding"]
        request.headers.update({"Content-Length": "2", "If-Match": tag, "Authorization": f"Bearer {api.token}"})
        assert api.session.send(request, verify=emulator.ca_file, timeout=30).status_code == 412
        other.join()
        assert state.read("/a.bin") == b"other"
