"""Downloads that break: mended where that is possible, cut where it is not, never ended early without a sign."""

from __future__ import annotations

import http.client
import random
from dataclasses import replace

import pytest

from davbridge.emulator.faults import Action, Html, Reset, Status, Truncate
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World

CONTENT = bytes(range(251)) * 20_000


@pytest.fixture
def stored(world: World, mount: str) -> bytes:
    """`/a.bin` on the drive."""
    world.emulator.drive(MOUNTS[mount]).put("/a.bin", CONTENT)
    return CONTENT


@pytest.mark.parametrize("fault", [Reset(after=2_000_000), Truncate(after=2_000_000), Reset(after=0)], ids=repr)
def test_a_break_in_mid_download_is_mended(world: World, dav: Dav, stored: bytes, fault: object) -> None:
    """The rest of the same version is fetched, and the client sees nothing."""
    world.emulator.faults.add("download", fault)  # type: ignore[arg-type]
    assert dav.get("a.bin", check=200).body == stored
    assert world.emulator.faults.pending == 0


def test_a_break_in_a_range_is_mended(world: World, dav: Dav, stored: bytes) -> None:
    """So is a range."""
    world.emulator.faults.add("download", Reset(after=100_000))
    answer = dav.get("a.bin", headers={"Range": "bytes=1000-999999"}, check=206)
    assert answer.body == stored[1000:1_000_000]


def test_a_file_that_changes_in_mid_download(world: World, dav: Dav, stored: bytes, mount: str) -> None:
    """Two versions are never mixed: the connection is cut."""
    drive = world.emulator.drive(MOUNTS[mount])

    class ChangeThenReset(Reset):
        def apply(self, request, run):
            response = super().apply(request, run)
            drive.put("/a.bin", bytes(len(stored)))
            return response

    world.emulator.faults.add("download", ChangeThenReset(after=2_000_000))
    with pytest.raises(http.client.IncompleteRead) as broken:
        dav.get("a.bin")
    assert stored.startswith(broken.value.partial)


def test_a_download_that_cannot_be_mended(world: World, dav: Dav, stored: bytes) -> None:
    """When the service stays broken the connection is cut in the middle; it never ends as if all were there."""
    world.emulator.faults.add("download", Reset(after=1_000_000))
    world.emulator.faults.add("download", Html(500), nth=2, times=30)
    with pytest.raises(http.client.IncompleteRead) as broken:
        dav.get("a.bin")
    assert stored.startswith(broken.value.partial)


def test_an_expired_address(world: World, dav: Dav, stored: bytes) -> None:
    """A download URL that has died is replaced by a fresh one."""
    dav.get("a.bin", check=200)
    world.emulator.clock.advance(400)
    assert dav.get("a.bin", headers={"Range": "bytes=0-9"}, check=206).body == stored[:10]


def test_a_service_that_ignores_ranges(world: World, dav: Dav, stored: bytes) -> None:
    """The whole file in answer to a Range is cut to the range here."""
    world.emulator.quirks.range_ignored = True
    assert dav.get("a.bin", headers={"Range": "bytes=100-199"}, check=206).body == stored[100:200]


def test_a_refused_download(world: World, dav: Dav, stored: bytes) -> None:
    """A policy that blocks downloads is 403."""
    world.emulator.faults.add("get item", Status(403, code="accessDenied"), times=9)
    dav.get("a.bin", check=403)


class PutBefore(Action):
    """Somebody stores the next of several contents before a request is answered."""

    def __init__(self, drive, *contents: bytes) -> None:
        self._drive = drive
        self._contents = iter(contents)

    def apply(self, request, run):
        self._drive.put("/a.bin", next(self._contents))
        return run()


@pytest.mark.parametrize("changes", [1, 2, 3])
def test_a_file_that_changes_while_it_is_opened(
    world: World, dav: Dav, stored: bytes, mount: str, changes: int
) -> None:
    """However often it changes in a moment, the bytes of a version come with the ETag of that version, or not at all.

    The versions have one size, so that nothing but the tag tells them apart.
    """
    contents = [random.Random(number).randbytes(len(stored)) for number in range(changes)]
    first = dav.get("a.bin", check=200).etag
    world.emulator.faults.add("download", PutBefore(world.emulator.drive(MOUNTS[mount]), *contents), times=changes)
    answer = dav.get("a.bin", check=(200, 503))
    assert world.emulator.faults.pending == 0
    world.forget()
    now = dav.head("a.bin", check=200).etag
    assert now != first
    if answer.status == 200:
        assert (answer.body, answer.etag) == (contents[-1], now)
    else:
        assert changes == 3
    assert dav.get("a.bin", headers={"If-Match": now}, check=200).body == contents[-1]


def test_a_range_of_a_file_that_changes_while_it_is_opened(world: World, dav: Dav, stored: bytes, mount: str) -> None:
    """A condition on the version holds for the bytes that are sent."""
    tag = dav.get("a.bin", check=200).etag
    drive = world.emulator.drive(MOUNTS[mount])
    world.emulator.faults.add("download", PutBefore(drive, bytes(len(stored)), b"x" * len(stored)), times=2)
    dav.get("a.bin", headers={"Range": "bytes=0-9", "If-Match": tag}, check=412)


def test_a_file_whose_download_never_fits(world: World, dav: Dav, mount: str) -> None:
    """What the service tells wrongly for good is believed to the stream, at one Graph call more."""
    drive = world.emulator.drive(MOUNTS[mount])
    drive.put("/a.bin", b"abc" * 100)
    dav.get("a.bin", check=200)
    with world.emulator.calls.counting() as calls:
        world.emulator.faults.add("download", OtherTag())
        assert dav.get("a.bin", check=200).body == b"abc" * 100
    assert (calls.graph, calls.download) == (1, 1)


class OtherTag(Action):
    """The answer carries a tag of another version than the item."""

    def apply(self, request, run):
        response = run()
        guid = response.headers["ETag"].partition(",")[0]
        return replace(response, headers={**response.headers, "ETag": f'{guid},999"'})
