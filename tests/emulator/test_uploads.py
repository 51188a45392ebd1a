"""Upload sessions and downloads: every rule of facts Graph §2.7 and §3."""

from __future__ import annotations

import pytest

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
