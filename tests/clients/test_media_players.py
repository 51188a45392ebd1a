"""Players and other random readers: ffmpeg, VLC, Kodi, Infuse, DAVx5."""

from __future__ import annotations

import pytest

from tests.support.dav import Dav

SIZE = 500_000
FILM = bytes(range(250)) * (SIZE // 250)


@pytest.fixture
def film(dav: Dav) -> str:
    """A film's ETag."""
    return dav.put("film.mp4", FILM, check=201).etag


def test_open_and_seek(dav: Dav, film: str) -> None:
    """The whole from 0, a seek guarded by the ETag, a page, a suffix, two bytes, and past the end."""
    dav.as_agent("Lavf/61.7.103").get("film.mp4", headers={"Range": "bytes=0-"}, anonymous=True, check=401)
    whole = dav.as_agent("Lavf/61.7.103").get("film.mp4", headers={"Range": "bytes=0-"}, check=206)
    assert whole.header("Content-Range") == f"bytes 0-{SIZE - 1}/{SIZE}"
    assert whole.header("Accept-Ranges") == "bytes"
    assert whole.header("Content-Type") == "video/mp4"
    assert whole.body == FILM
    assert whole.etag == film
    seek = {"Range": "bytes=455886-", "If-Match": film}
    assert dav.as_agent("VLC/3.0.24 LibVLC/3.0.24").get("film.mp4", headers=seek, check=206).body == FILM[455886:]
    davx5 = dav.as_agent("DAVx5/4.5")
    assert davx5.head("film.mp4", check=200).header("Content-Length") == str(SIZE)
    davx5.get("film.mp4", headers={"Range": f"bytes=0-{SIZE - 1}", "If-Match": film}, check=206)
    kodi = dav.as_agent("Kodi/21.0")
    tail = kodi.get("film.mp4", headers={"Range": "bytes=-128"}, check=206)
    assert (tail.header("Content-Range"), tail.body) == (f"bytes {SIZE - 128}-{SIZE - 1}/{SIZE}", FILM[-128:])
    assert kodi.get("film.mp4", headers={"Range": "bytes=0-1"}, check=206).body == FILM[:2]
    past = kodi.get("film.mp4", headers={"Range": f"bytes={SIZE}-"}, check=416)
    assert past.header("Content-Range") == f"bytes */{SIZE}"


def test_kodi_browses(dav: Dav, film: str) -> None:
    """Kodi compares the status line literally, and wants no empty length."""
    listing = dav.as_agent("Kodi/21.0 (X11; Linux x86_64)").propfind(
        "",
        depth=1,
        body="<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:creationdate/><D:displayname/>",
        check=207,
    )
    assert "<D:status>HTTP/1.1 200 OK</D:status>" in listing.text
    assert "<D:resourcetype><D:collection/></D:resourcetype>" in listing.text
    assert "<D:displayname>film.mp4</D:displayname>" in listing.text
    assert "<D:getcontentlength/></D:prop><D:status>HTTP/1.1 200" not in listing.text


def test_if_range(dav: Dav, film: str) -> None:
    """A stale If-Range gives the whole file, a good one the range."""
    part = {"Range": "bytes=100-199"}
    assert dav.get("film.mp4", headers={**part, "If-Range": '"other"'}, check=200).body == FILM
    assert dav.get("film.mp4", headers={**part, "If-Range": film}, check=206).body == FILM[100:200]
    dav.get("film.mp4", headers={"If-None-Match": film}, check=304)


@pytest.mark.parametrize("header", ["bytes=0-0,5-6", "bytes=5-3", "items=0-3", "bytes=a-b"])
def test_ranges_that_are_ignored(dav: Dav, film: str, header: str) -> None:
    """Several ranges, a reversed one and another unit are no ranges: the whole file comes."""
    assert dav.get("film.mp4", headers={"Range": header}, check=200).body == FILM
