"""What a client sees when an upload goes wrong, and that the drive holds the old bytes or the new ones, whole."""

from __future__ import annotations

import socket

import pytest

from davbridge.emulator.faults import Html, LoseAnswer, Reset, Status, WorkThen
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World, eventually

pytestmark = pytest.mark.usefixtures("small_fragments")

SMALL = b"small" * 1000
LARGE = bytes(range(256)) * 100_000
"""Two fragments and a bit."""
OLD = b"the old content"


@pytest.fixture
def drive(world: World, mount: str):
    """The drive behind the mount, seen from inside, with an old file on it."""
    state = world.emulator.drive(MOUNTS[mount])
    state.put("/a.bin", OLD)
    return state


def cut_short(dav: Dav, head: str, body: bytes) -> bytes:
    """Send `head` and `body`, then end our side of the connection; return what the server says."""
    host, _, port = dav.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        lines = head.format(path=dav.path("a.bin"), host=dav.host, auth=dav.auth)
        connection.sendall(lines.replace("\n", "\r\n").encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


KNOWN = "PUT {path} HTTP/1.1\nHost: {host}\nAuthorization: {auth}\nContent-Length: %d\n\n"
CHUNKED = "PUT {path} HTTP/1.1\nHost: {host}\nAuthorization: {auth}\nTransfer-Encoding: chunked\n\n"


@pytest.mark.parametrize(("announced", "sent"), [(1000, 500), (5_000_000, 1), (26_000_000, 15_000_000), (1000, 0)])
def test_a_put_that_is_cut_short(world: World, dav: Dav, drive, announced: int, sent: int) -> None:
    """Fewer bytes than announced, in one request or in the middle of a session: 400, the old bytes, no open session."""
    answer = cut_short(dav, KNOWN % announced, bytes(sent))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert drive.read("/a.bin") == OLD
    assert drive.versions("/a.bin") == []
    eventually(lambda: drive.open_sessions == 0)
    assert dav.get("a.bin", check=200).body == OLD


def test_a_chunked_put_that_is_cut_short(dav: Dav, drive) -> None:
    """A chunked body without its last chunk is no body."""
    answer = cut_short(dav, CHUNKED, b"5\r\nhello\r\n5\r\nwor")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert drive.read("/a.bin") == OLD


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["one request", "session"])
def test_a_refused_upload(world: World, dav: Dav, drive, body: bytes) -> None:
    """A full drive is 507, and the old bytes stay."""
    drive.drive.total = drive.drive.used + 100
    assert "quota-not-exceeded" in dav.put("a.bin", body, check=507).text
    assert drive.read("/a.bin") == OLD
    assert drive.open_sessions == 0


def test_a_locked_item(dav: Dav, drive) -> None:
    """An item that somebody has open at Microsoft is 423."""
    drive.item("/a.bin").locked = True
    dav.put("a.bin", SMALL, check=423)
    assert drive.read("/a.bin") == OLD


@pytest.mark.parametrize("status", [403, 413])
def test_other_refusals(world: World, dav: Dav, drive, status: int) -> None:
    """What Graph refuses for good is passed on in a status that clients know."""
    world.emulator.faults.add("put content", Status(status, code="accessDenied" if status == 403 else "x"))
    dav.put("a.bin", SMALL, check=status)
    assert drive.read("/a.bin") == OLD


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", [Reset(after=100_000), LoseAnswer(), Status(503), Status(500), Html(502)], ids=repr)
def test_a_fragment_that_fails_once(world: World, dav: Dav, drive, fault: object, nth: int) -> None:
    """The upload goes on where it was: one new version, the new bytes whole."""
    world.emulator.faults.add("put fragment", fault, nth=nth)  # type: ignore[arg-type]
    dav.put("a.bin", LARGE, check=204)
    assert world.emulator.faults.pending == 0
    assert drive.read("/a.bin") == LARGE
    assert drive.versions("/a.bin") == [OLD]


@pytest.mark.parametrize("fault", [LoseAnswer(), WorkThen(504)], ids=repr)
def test_a_small_upload_whose_answer_is_lost(world: World, dav: Dav, drive, fault: object) -> None:
    """The bridge looks what has become of it before it answers: it is there, so the client is told.

    Whether the file is new cannot be told any more from what is there: 201 and 204 are both true enough.
    """
    world.emulator.faults.add("put content", fault)  # type: ignore[arg-type]
    dav.put("a.bin", SMALL, check=(201, 204))
    assert drive.read("/a.bin") == SMALL
    assert drive.versions("/a.bin") == [OLD]


def test_a_small_upload_that_breaks(world: World, dav: Dav, drive) -> None:
    """A connection that broke before Graph had the whole: old bytes or new ones, and a status that says which."""
    world.emulator.faults.add("put content", Reset(after=1000))
    answer = dav.put("a.bin", SMALL, check=(204, 502, 504))
    assert drive.read("/a.bin") == (SMALL if answer.status == 204 else OLD)


def test_a_service_that_stays_broken(world: World, dav: Dav, drive) -> None:
    """When nothing helps the client gets a 5xx, the old bytes stay, and the session is given up."""
    world.emulator.faults.add("put fragment", Html(500), nth=2, times=50)
    answer = dav.put("a.bin", LARGE)
    assert answer.status in (502, 503, 504)
    assert drive.read("/a.bin") == OLD
    assert drive.open_sessions == 0


def test_office_file_that_the_service_rewrites(world: World, mount: str) -> None:
    """SharePoint changes a document after the upload: nothing is deleted, and nothing is uploaded again."""
    world.emulator.quirks.office_rewrite = True
    drive = world.emulator.drive(MOUNTS[mount])
    dav = world.dav(mount)
    content = b"PK" + bytes(50_000)
    with world.emulator.calls.counting() as calls:
        dav.put("Report.docx", content, check=201)
    assert calls.operations.count("put content") == 1
    assert "delete item" not in calls.operations
    stored = drive.read("/Report.docx")
    assert stored.startswith(content)
    world.forget()
    assert dav.get("Report.docx", check=200).body == stored
    dav.put("Report.docx", content + b"2", check=204)
    assert drive.read("/Report.docx").startswith(content + b"2")
    dav.close()


def test_rewritten_document_is_downloaded_whole_from_stale_metadata(world: World) -> None:
    """Right after the upload the bridge knows the old size; the length of the answer is that of the real bytes."""
    world.emulator.quirks.office_rewrite = True
    dav = world.dav("team")
    dav.put("Report.docx", b"PK" + bytes(1000), check=201)
    answer = dav.get("Report.docx", check=200)
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert answer.body == world.emulator.drive("documents").read("/Report.docx")
    dav.close()
