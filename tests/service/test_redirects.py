"""`download: redirect`: who is sent to Microsoft, and what the bridge must give out itself all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dav import Dav
from tests.support.world import running_world


@pytest.fixture
def redirecting(tmp_path: Path) -> Iterator[Dav]:
    """A client of a bridge that redirects every download it can."""
    with running_world(tmp_path, download="redirect") as world:
        client = world.dav()
        yield client
        client.close()


def test_redirects(redirecting: Dav) -> None:
    """A file at Microsoft is a 302; what only the bridge has is given out by it."""
    redirecting.put("a.txt", "abc", check=201)
    answer = redirecting.get("a.txt", check=302)
    assert answer.header("Location").startswith("https://")
    assert answer.header("Cache-Control") == "no-store"
    redirecting.put("desktop.ini", "side", check=201)
    assert redirecting.get("desktop.ini", check=200).body == b"side"
    redirecting.as_agent("Microsoft-WebDAV-MiniRedir/10.0").put("soon.txt", "", check=201)
    assert redirecting.get("soon.txt", check=200).body == b""
    redirecting.put("empty.txt", "", check=201)
    redirecting.get("empty.txt", check=(200, 302))
