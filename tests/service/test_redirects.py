"""`download: redirect` and `auto`: who is sent to Microsoft, and what the bridge must give out itself all the same."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from davbridge.dav.redirects import SMALLEST
from tests.support.dav import Dav
from tests.support.world import MOUNTS, World, running_world

LARGE = bytes(SMALLEST)
RCLONE = "rclone/v1.75.2"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
DOLPHIN = "Mozilla/5.0 (X11; Linux x86_64) KIO/6.13 kioworker/6.13.0"
RANGE = {"Range": "bytes=100-299"}


@pytest.fixture(scope="module")
def bridges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """A bridge that redirects every download it can, and one that does so for clients that are known to follow."""
    with (
        running_world(tmp_path_factory.mktemp("redirect"), download="redirect") as redirect,
        running_world(tmp_path_factory.mktemp("auto"), download="auto") as auto,
    ):
        yield {"redirect": redirect, "auto": auto}


@contextmanager
def _client(world: World) -> Iterator[Dav]:
    world.reset()
    world.emulator.drive(MOUNTS["me"]).put("/large.bin", LARGE)
    world.emulator.drive(MOUNTS["me"]).put("/small.bin", b"small")
    client = world.dav()
    yield client
    client.close()


@pytest.fixture
def redirect(bridges: dict[str, World]) -> Iterator[Dav]:
    """A client of the first, with a large and a small file."""
    with _client(bridges["redirect"]) as client:
        yield client


@pytest.fixture
def auto(bridges: dict[str, World]) -> Iterator[Dav]:
    """A client of the second."""
    with _client(bridges["auto"]) as client:
        yield client


@pytest.fixture(params=["redirect", "auto"])
def either(request: pytest.FixtureRequest, bridges: dict[str, World]) -> Iterator[Dav]:
    """One of each in turn, that follows and keeps its Range."""
    with _client(bridges[request.param]) as client:
        yield client.as_agent(RCLONE)


def test_redirects(redirect: Dav) -> None:
    """A file at Microsoft is a 302; what only the bridge has is given out by it."""
    redirect.put("a.txt", "abc", check=201)
    redirect.get("a.txt", check=302)
    redirect.put("desktop.ini", "side", check=201)
    assert redirect.get("desktop.ini", check=200).body == b"side"
    redirect.as_agent("Microsoft-WebDAV-MiniRedir/10.0").put("soon.txt", "", check=201)
    assert redirect.get("soon.txt", check=200).body == b""
    redirect.put("empty.txt", "", check=201)
    redirect.get("empty.txt", check=(200, 302))


def test_the_answer(either: Dav) -> None:
    """It leads to https, is kept by nobody, and tells the other host nothing of us."""
    answer = either.get("large.bin", check=302)
    assert answer.header("Location").startswith("https://")
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert answer.header("Vary") == "User-Agent"
    assert answer.body == b""


def test_who_is_sent(auto: Dav) -> None:
    """With `auto` only who is known to follow, and only for large files."""
    for agent in (RCLONE, FIREFOX, DOLPHIN, "gvfs/1.57.2", "VLC/3.0.24 LibVLC/3.0.24"):
        auto.as_agent(agent).get("large.bin", check=302)
        auto.as_agent(agent).get("small.bin", check=200)
    for agent in ("", "curl/8.14", "davfs2/1.7.0 neon/0.34.0", "Kodi/21.0", "Lavf/61.7.103", "WebDAVFS/3.0.0"):
        auto.as_agent(agent).get("large.bin", check=200)
    auto.as_agent(FIREFOX, Origin="https://example.com").get("large.bin", check=200)


def test_head(either: Dav) -> None:
    """HEAD is answered here."""
    either.head("large.bin", check=200)


def test_ranges(redirect: Dav, auto: Dav) -> None:
    """Only a client that is known to keep its Range is redirected with one; the others would get the whole file."""
    for dav in (redirect, auto):
        dav.as_agent(RCLONE).get("large.bin", headers=RANGE, check=302)
        dav.as_agent(DOLPHIN).get("large.bin", headers=RANGE, check=206)
    redirect.as_agent("Unknown/1.0").get("large.bin", headers=RANGE, check=206)
    redirect.as_agent("Unknown/1.0").get("large.bin", check=302)


def test_marks_of_a_mount(either: Dav) -> None:
    """Mounted drives, and whoever names one of our ETags, are proxied."""
    either.get("large.bin", headers={"Translate": "f"}, check=200)
    tag = either.head("large.bin").etag
    either.get("large.bin", headers={"If-Match": tag}, check=200)
    either.get("large.bin", headers={"If-Range": tag, **RANGE}, check=206)


def test_plain_http(either: Dav) -> None:
    """Nobody on the way may read the address: over plain HTTP it is given out on this machine only."""
    for name, status in (("dav.example.com", 200), ("127.0.0.1", 302), ("localhost:8080", 302)):
        connection = http.client.HTTPConnection(either.host)
        fields = {"Host": name, "Authorization": either.auth or "", "User-Agent": RCLONE + name}
        connection.request("GET", either.path("large.bin"), headers=fields)
        answer = connection.getresponse()
        assert (answer.status, len(answer.read())) == (status, len(LARGE) if status == 200 else 0)
        connection.close()


def test_a_client_that_comes_back(either: Dav, caplog: pytest.LogCaptureFixture) -> None:
    """Who asks for the same again at once has not followed: it is proxied from then on, and that is logged."""
    with caplog.at_level(logging.INFO, "davbridge.dav.redirects"):
        either.get("large.bin", check=302)
        either.get("large.bin", check=200)
        either.get("large.bin", headers=RANGE, check=206)
    rules = [record.getMessage() for record in caplog.records]
    assert "redirected" in rules[0]
    assert all("proxied" in rule and "came back" in rule for rule in rules[1:])
    assert all(RCLONE in rule for rule in rules)
    assert not any("tempauth" in rule for rule in rules)
    either.as_agent(FIREFOX).get("large.bin", check=302)


def test_other_bytes_of_the_same_file(either: Dav) -> None:
    """Asking for another range has followed, and goes on following."""
    for start in range(0, 5000, 1000):
        either.get("large.bin", headers={"Range": f"bytes={start}-{start + 999}"}, check=302)
