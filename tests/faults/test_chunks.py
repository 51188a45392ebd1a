"""Uploads in chunks: what is refused, what a failure leaves, and that nobody else's can be reached (decision 013)."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator

import pytest

from davbridge.emulator.faults import LoseAnswer, Status
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

UPLOADS = "/remote.php/dav/uploads/alice"
LARGE = bytes(range(256)) * 20_000
"""More than one request to Graph takes."""


@pytest.fixture
def upload(dav: Dav) -> Iterator[str]:
    """The address of an upload that has begun."""
    address = f"{UPLOADS}/{uuid.uuid4()}"
    dav.mkcol(address, check=201)
    yield address
    dav.delete(address, check=(204, 404))


def fill(dav: Dav, upload: str, content: bytes = LARGE, count: int = 3) -> None:
    """Cut it into pieces whose names are offsets, as rclone does."""
    step = len(content) // count + 1
    for start in range(0, len(content), step):
        piece = content[start : start + step]
        dav.put(f"{upload}/{start:015}-{start + len(piece) - 1:015}", piece, check=201)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Status(507, code="quotaLimitReached"), 507),
        (Status(423, code="resourceLocked"), 423),
        (Status(503, retry_after=70), 503),
    ],
    ids=["full", "locked", "busy"],
)
def test_a_move_that_fails(world: World, dav: Dav, mount: str, upload: str, fault: Status, status: int) -> None:
    """The old file stays, and so do the chunks: the same MOVE works when the trouble is over."""
    dav.put("a.bin", b"old", check=201)
    fill(dav, upload)
    world.emulator.faults.add("create session", fault, times=20)
    dav.move(f"{upload}/.file", "a.bin", check=status)
    world.emulator.faults.clear()
    if status == 503:
        world.clock.sleep(71)
    assert dav.get("a.bin", check=200).body == b"old"
    assert len(dav.propfind(upload, depth=1, check=207).resources) == 4
    dav.move(f"{upload}/.file", "a.bin", check=204)
    assert dav.get("a.bin", check=200).body == LARGE
    dav.propfind(upload, check=404)


def test_a_commit_whose_answer_is_lost(world: World, dav: Dav, mount: str, upload: str) -> None:
    """The drive is read before the client is told: stored, in one version, and the chunks are gone."""
    fill(dav, upload)
    world.emulator.faults.add("put fragment", LoseAnswer())
    dav.move(f"{upload}/.file", "a.bin", check=(201, 204))
    assert world.emulator.drive(MOUNTS[mount]).read("/a.bin") == LARGE
    assert world.emulator.drive(MOUNTS[mount]).versions("/a.bin") == []
    dav.propfind(upload, check=404)


def test_conditions_are_about_the_destination(dav: Dav, upload: str) -> None:
    """Overwrite, If with the destination's tag, If-Match and locks: what does not hold is refused, and leaves all."""
    fill(dav, upload, b"new content")
    move, target = f"{upload}/.file", dav.url("a.bin")
    tag = dav.put("a.bin", b"old", check=201).etag
    dav.move(move, "a.bin", headers={"Overwrite": "F"}, check=412)
    dav.move(move, "a.bin", headers={"If": f'<{target}> (["other"])'}, check=412)
    dav.move(move, "a.bin", headers={"If-Match": '"other"'}, check=412)
    dav.move(move, "a.bin", headers={"If-Match": tag, "Overwrite": "F"}, check=412)
    token = dav.lock("a.bin", check=200).token
    dav.move(move, "a.bin", check=423)
    assert dav.get("a.bin", check=200).body == b"old"
    dav.move(move, "a.bin", headers={"If": f"<{target}> (<{token}> [{tag}])"}, check=204)
    assert dav.get("a.bin", check=200).body == b"new content"
    dav.unlock("a.bin", token, check=204)


def test_what_is_not_the_whole(dav: Dav, upload: str) -> None:
    """Another total than announced, a gap, one number twice, nothing: 400, and no file."""
    move = f"{upload}/.file"
    dav.move(move, "a.bin", check=400)
    dav.put(f"{upload}/1", b"one", check=201)
    dav.put(f"{upload}/3", b"three", check=201)
    dav.move(move, "a.bin", check=400)
    dav.move(move, "a.bin", headers={"OC-Total-Length": "7"}, check=400)
    dav.move(move, "a.bin", headers={"OC-Total-Length": "eight"}, check=400)
    dav.put(f"{upload}/01", b"one", check=201)
    dav.move(move, "a.bin", headers={"OC-Total-Length": "11"}, check=400)
    dav.delete(f"{upload}/01", check=204)
    dav.get("a.bin", check=404)
    dav.put(f"{upload}/1", b"uno", check=204)
    dav.move(move, "a.bin", headers={"OC-Total-Length": "8"}, check=201)
    assert dav.get("a.bin", check=200).body == b"unothree"


def test_where_an_upload_may_not_lead(dav: Dav, mount: str, upload: str) -> None:
    """No such folder, another server, no mount, a mount itself, a chunk alone, a name that cannot be stored."""
    dav.put(f"{upload}/1", b"one", check=201)
    dav.move(f"{upload}/.file", "none/a.bin", check=409)
    dav.move(f"{upload}/.file", "/elsewhere/a.bin", check=502)
    dav.move(f"{upload}/.file", "", check=403)
    dav.move(f"{upload}/1", "a.bin", check=403)
    dav.move(upload, "folder", check=403)
    dav.move(f"{upload}/.file", "con", check=403)
    other = {"Destination": "http://other.example.com/me/a.bin"}
    dav.request("MOVE", f"{upload}/.file", headers=other, check=502)
    dav.request("MOVE", f"{upload}/.file", check=400)
    dav.request("MOVE", f"{UPLOADS}/unknown/.file", headers={"Destination": dav.url("a.bin")}, check=404)
    assert len(dav.propfind(upload, depth=1, check=207).resources) == 2


def test_what_cannot_be_done_with_uploads(dav: Dav, upload: str) -> None:
    """Chunks are not read back, copied or locked, have no folders, and names that lead elsewhere are no names."""
    dav.put(f"{upload}/1", b"one", check=201)
    dav.get(f"{upload}/1", check=405)
    dav.lock(f"{upload}/1", check=405)
    dav.copy(f"{upload}/1", "a.bin", check=405)
    dav.mkcol(f"{upload}/deeper", check=403)
    dav.put(f"{upload}/1/2", b"x", check=405)
    dav.put(f"{UPLOADS}/loose", b"x", check=405)
    dav.put(f"{UPLOADS}/unknown/1", b"x", check=404)
    dav.put(f"{upload}/1", b"x", headers={"Content-Range": "bytes 0-0/3"}, check=400)
    for name in (".file", "a", "1.part", "%20", ".space", "1-2-3"):
        dav.put(f"{upload}/{name}", b"x", check=403)
    for name in ("%2e%2e", "..%2f..%2fx"):
        dav.put(f"{upload}/{name}", b"x", check=400)
        dav.mkcol(f"{UPLOADS}/{name}", check=400)
    for name in (".gone", "a%20b", "a%00b", "%C3%A4"):
        dav.mkcol(f"{UPLOADS}/{name}", check=(400, 403))


def test_another_user(world: World, dav: Dav, upload: str) -> None:
    """Nobody sees, fills, moves or removes the uploads and files of another name; who may write nowhere has none."""
    dav.put(f"{upload}/1", b"one", check=201)
    bob = world.dav("team", "bob")
    for address in (upload, f"{upload}/1", UPLOADS, "/remote.php/dav/files/alice/team/"):
        bob.propfind(address, check=403)
        bob.put(address, b"x", check=403)
        bob.delete(address, check=403)
    bob.move(f"{upload}/.file", "/team/a.bin", check=403)
    own = upload.replace("alice", "bob")
    bob.mkcol(own, check=403)
    assert len(bob.propfind("/remote.php/dav/uploads/bob", depth=1, check=207).resources) == 1
    bob.propfind("/remote.php/dav/files/bob/team/", check=207)
    bob.propfind(own, check=404)
    bob.propfind(upload, anonymous=True, check=401)
    bob.options(upload, anonymous=True, check=200)
    assert len(dav.propfind(upload, depth=1, check=207).resources) == 2
    bob.close()


def test_more_than_there_is_room_for(world: World, dav: Dav, upload: str) -> None:
    """Beyond the configured size, or the disk's, a chunk is 507 before it is read, and leaves nothing."""
    dav.put(f"{upload}/1", b"one", check=201)
    full = {"Content-Length": str(64 * 2**20)}
    assert "quota-not-exceeded" in dav.put(f"{upload}/2", b"", headers=full, check=507).text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10 * 2**20}))
        dav.put(f"{upload}/2", b"two", check=507)
    folders = (world.folder / "state" / "chunks").glob("*/*")
    assert [re.sub("^.*/", "", str(path)) for folder in folders for path in folder.iterdir()] == ["1"]
    dav.put(f"{upload}/2", b"two", check=201)
    dav.move(f"{upload}/.file", "a.bin", check=201)


def test_a_chunk_that_breaks_off(world: World, dav: Dav, upload: str) -> None:
    """What was there of that name stays, whole."""
    dav.put(f"{upload}/1", b"whole", check=201)
    dav.put(f"{upload}/1", b"ha", headers={"X-Expected-Entity-Length": "4"}, check=400)
    dav.put(f"{upload}/2", iter([b"of unknown ", b"length"]), check=201)
    dav.move(f"{upload}/.file", "a.bin", check=201)
    assert dav.get("a.bin", check=200).body == b"wholeof unknown length"


def test_an_upload_that_nobody_goes_on_with(
    world: World, dav: Dav, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bridge gives it up after a day, with its chunks: then it is 404, and its room is free."""
    dav.put(f"{upload}/1", b"one", check=201)
    (folder,) = (world.folder / "state" / "chunks").glob(f"*/{upload.rpartition('/')[2]}")
    os.utime(folder, (world.clock.now().timestamp() - 86000,) * 2)
    monkeypatch.setattr(world.bridge.chunks, "_next_sweep", 0.0)
    world.bridge.settle()
    dav.propfind(upload, check=207)
    os.utime(folder, (world.clock.now().timestamp() - 87000,) * 2)
    monkeypatch.setattr(world.bridge.chunks, "_next_sweep", 0.0)
    world.bridge.settle()
    dav.put(f"{upload}/2", b"two", check=404)
    assert world.bridge.chunks.used() == 0


def test_partial_updates_of_files(dav: Dav) -> None:
    """PATCH (sabre's partial update) and PUT with Content-Range are refused, and change nothing."""
    dav.put("a.bin", b"content", check=201)
    patch = {"Content-Type": "application/x-sabredav-partialupdate", "X-Update-Range": "bytes=0-1"}
    for path in ("a.bin", "none.bin", ""):
        dav.request("PATCH", path, headers=patch, body=b"XX", check=501)
        dav.request("PATCH", path, headers={"Content-Range": "bytes 0-1/7"}, body=b"XX", check=501)
    assert "PATCH" not in dav.options("a.bin", check=200).header("Allow").split(", ")
    assert "PATCH" not in dav.request("FOO", "a.bin", check=(405, 501)).header("Allow").split(", ")
    dav.put("a.bin", b"XX", headers={"Content-Range": "bytes 0-1/7"}, check=400)
    assert dav.get("a.bin", check=200).body == b"content"


def test_the_checksum_that_nobody_knows(dav: Dav) -> None:
    """rclone asks for it after each upload, and takes 204 without one; other PATCHes are refused there, too."""
    files = dav.at(f"/remote.php/dav/files/alice{dav.root}")
    files.put("a.bin", b"content", check=201)
    answer = files.request("PATCH", "a.bin", headers={"X-Recalculate-Hash": "sha1"}, check=204)
    assert not answer.header("OC-Checksum")
    files.request("PATCH", "none.bin", headers={"X-Recalculate-Hash": "sha1"}, check=404)
    files.request("PATCH", "a.bin", headers={"Content-Range": "bytes 0-1/7"}, body=b"XX", check=501)
    assert files.get("a.bin", check=200).body == b"content"
