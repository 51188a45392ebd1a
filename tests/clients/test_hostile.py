"""Requests that no good client sends: each gets a plain answer, and harms nobody else."""

from __future__ import annotations

import pytest

from tests.support.dav import Dav
from tests.support.world import World


@pytest.fixture
def base(world: World) -> str:
    """Plain HTTP only: none of this depends on the way that a request comes."""
    return world.http


def test_owner_too_long(dav: Dav) -> None:
    """A lock's owner is shown whole or not at all, so that the folder can still be listed."""
    dav.put("a.txt", "abc", check=201)
    dav.lock("a.txt", owner="o" * 5000, check=200)
    _, child = dav.propfind("", depth=1, body="<D:lockdiscovery/>", check=207).resources
    assert "activelock" in child["lockdiscovery"]
