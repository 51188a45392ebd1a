"""The webhook's endpoint in the whole bridge: there only with a public address, and in front of the gate alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from davbridge.app import Bridge, build
from davbridge.clock import SystemClock
from davbridge.config.model import Config
from davbridge.emulator import Emulator
from davbridge.push import SubscriptionTable
from davbridge.push.table import Kept
from davbridge.redact import Secret
from tests.support.world import configuration

NAME = "0123456789abcdef0123"
NOTE = json.dumps({"value": [{"clientState": "r1ght"}]})


@contextmanager
def bridge_at(emulator: Emulator, folder: Path, public_url: str | None) -> Iterator[tuple[Bridge, str]]:
    """A bridge behind a proxy, and the address of its endpoint."""
    config = configuration(emulator, folder).model_dump()
    config["server"]["behind_proxy"] = {"trusted": ["127.0.0.1/32"], "public_url": public_url}
    bridge = build(Config.model_validate(config), SystemClock())
    bridge.server.start()
    try:
        SubscriptionTable(bridge.database).put(NAME, Kept("x", Secret("r1ght")))
        yield bridge, f"http://{bridge.server.addresses[0]}/.davbridge/notify/{NAME}"
    finally:
        bridge.server.drain(5)
        bridge.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Nothing is asked of it."""
    with Emulator.start() as emulator:
        yield emulator


def test_a_notification_touches_a_file(emulator: Emulator, tmp_path: Path) -> None:
    """Beside the mirror, for whatever process polls."""
    with bridge_at(emulator, tmp_path, "https://dav.example.com") as (_, url):
        poke = tmp_path / "state/mirror" / f"{NAME}.poke"
        assert requests.post(url, data=NOTE.replace("r1ght", "wrong"), timeout=5).status_code == 202
        assert not poke.exists()
        assert requests.post(url, data=NOTE, timeout=5).status_code == 202
        assert poke.exists()
        assert requests.post(url.replace("notify", "notify/me"), data=NOTE, timeout=5).status_code == 401


@pytest.mark.parametrize("public_url", [None, "http://dav.example.com"])
def test_without_a_public_address(emulator: Emulator, tmp_path: Path, public_url: str | None) -> None:
    """There is no endpoint: the gate answers."""
    with bridge_at(emulator, tmp_path, public_url) as (_, url):
        assert requests.post(url, data=NOTE, timeout=5).status_code == 401
