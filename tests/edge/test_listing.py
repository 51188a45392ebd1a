"""Large listings on the wire: in chunks, packed, until the end of an HTTP/1.0 connection, and cut when they fail."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.protocol import Item
from davbridge.errors import Busy
from davbridge.paths import DavPath
from davbridge.store.database import Database
from tests.support.dav import Dav
from tests.support.memory import Drive, open_state, real_time, served

MANY = 100_000
BODY = (
    b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/>'
    b"<D:getlastmodified/><D:getetag/></D:prop></D:propfind>"
)


class Large(MemoryDriver):
    """Every folder has `count` children, made one by one; the stream breaks before the one with number `breaks`."""

    count = 10_000
    breaks = -1
    stamp = ""
    made = 0

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        folder = super().stat(path)
        return replace(folder, stamp=self.stamp), self._made()

    def _made(self) -> Iterator[Item]:
        (file,) = super().children(DavPath(("one",)))[1]
        for number in range(self.count):
            if number == self.breaks:
                raise Busy("Microsoft wants a pause", 7.0)
            self.made = number + 1
            yield replace(file, id=f"I{number}", name=f"document {number:06}.txt", etag=f"I{number}-1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A state file."""
    database = open_state(tmp_path)
    yield database
    database.close()


@pytest.fixture
def large(database: Database) -> Drive:
    """A drive with one large folder after the other."""
    driver = Large(ManualClock())
    drive = Drive(database, driver, real_time())
    driver.make_folder(DavPath(("one",)))
    drive.store("/one/file.txt")
    return drive


@pytest.fixture
def dav(large: Drive) -> Iterator[Dav]:
    """A client of it, over the real edge."""
    with served(large) as client:
        yield client


def test_a_large_listing_comes_in_chunks(dav: Dav) -> None:
    """Whole, and the connection goes on."""
    told = dav.propfind("one", depth=1, check=207)
    assert told.header("Transfer-Encoding") == "chunked"
    assert not told.header("Content-Length")
    assert not told.header("Connection")
    assert len(told.resources) == Large.count + 1
    again = dav.propfind("one", depth=0, check=207)
    assert int(again.header("Content-Length")) == len(again.body)


def test_a_kept_listing_has_its_length(large: Drive, dav: Dav) -> None:
    """The second time nothing is made any more."""
    large.driver.stamp = "5-5"  # type: ignore[attr-defined]
    first = dav.propfind("one", depth=1, check=207)
    second = dav.propfind("one", depth=1, check=207)
    assert first.body == second.body
    assert int(second.header("Content-Length")) == len(second.body)
    packed = [dav.propfind("one", depth=1, check=207, headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
    assert packed[0].body == packed[1].body
    assert gzip.decompress(packed[1].body) == first.body
    large.driver.stamp = "5-6"  # type: ignore[attr-defined]
    assert dav.propfind("one", depth=1, check=207).header("Transfer-Encoding") == "chunked"


def test_a_large_listing_is_packed_for_those_who_unpack(dav: Dav) -> None:
    """gzip, streamed too; not for a client that refuses it."""
    plain = dav.propfind("one", depth=1, check=207, headers={"Accept-Encoding": "gzip;q=0"})
    packed = dav.propfind("one", depth=1, check=207, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.header("Content-Encoding") == "gzip"
    assert not plain.header("Content-Encoding")
    assert plain.header("Vary") == packed.header("Vary") == "Accept-Encoding"
    assert len(packed.body) * 8 < len(plain.body)
    assert gzip.decompress(packed.body) == plain.body


def test_http_1_0_gets_it_until_the_connection_ends(dav: Dav) -> None:
    """It knows no chunks."""
    host, port = dav.host.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall(b"PROPFIND /me/one HTTP/1.0\r\nDepth: 1\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = b"".join(iter(lambda: wire.recv(65536), b"")).partition(b"\r\n\r\n")
    assert b"207" in head.splitlines()[0]
    assert b"Connection: close" in head or b"Keep-Alive" not in head
    assert b"Transfer-Encoding" not in head
    assert body.endswith(b"</D:multistatus>\n")
    assert body.count(b"<D:response>") == Large.count + 1


def test_what_fails_early_is_a_status(large: Drive, dav: Dav) -> None:
    """Nothing was sent yet."""
    large.driver.breaks = 1000  # type: ignore[attr-defined]
    told = dav.propfind("one", depth=1, check=503)
    assert told.header("Retry-After") == "7"


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_what_fails_late_cuts_the_connection(
    large: Drive, dav: Dav, coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A listing that ends well but early would look like deleted files."""
    large.driver.breaks = 9000  # type: ignore[attr-defined]
    with caplog.at_level(logging.CRITICAL, "davbridge.edge"), pytest.raises(http.client.IncompleteRead):
        dav.propfind("one", depth=1, headers={"Accept-Encoding": coding})


def test_a_hundred_thousand_children_take_little_memory(large: Drive) -> None:
    """Under 64 MiB, and the first bytes go out when a tenth of them is made."""
    large.driver.count = MANY  # type: ignore[attr-defined]
    large.driver.stamp = "1-1"  # type: ignore[attr-defined]
    tracemalloc.start()
    try:
        blocks = iter(large.blocks("/me/one", "1", BODY))
        size = len(next(blocks))
        made = large.driver.made  # type: ignore[attr-defined]
        size += sum(map(len, blocks))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > MANY * 250
    assert peak < 64 * 2**20
    assert made <= MANY / 10
    assert large.driver.made == MANY  # type: ignore[attr-defined]


def test_a_client_that_leaves_ends_the_listing(large: Drive) -> None:
    """Closing the body closes the drive's own stream."""
    blocks = large.blocks("/me/one", "1", BODY)
    next(iter(blocks))
    blocks.close()
    with pytest.raises(StopIteration):
        next(iter(blocks))
