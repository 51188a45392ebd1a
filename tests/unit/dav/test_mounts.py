"""Where mounts appear, whatever their names are."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from davbridge.clock import ManualClock
from davbridge.dav import deadprops, locks
from davbridge.dav.application import make_application
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.locks import LockTable
from davbridge.dav.message import FixedDriver, Mount, Shared
from davbridge.drivers.memory import MemoryDriver
from davbridge.store.database import Database


@pytest.mark.parametrize("mount", ["/me", "/Team", "/Übung", "/two words", "/a/B", "/x:y", "/Straße"])
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_mounts_are_found(tmp_path: Path, mount: str, change: Any) -> None:
    """A mount answers under its name in any case, and OPTIONS and PROPFIND of it are no errors of ours."""
    clock = ManualClock()
    database = Database.open(tmp_path / "state.sqlite", (*locks.SCHEMA, *deadprops.SCHEMA))
    shared = Shared(LockTable(database, clock), DeadProperties(database), clock)
    driver = FixedDriver(MemoryDriver(clock))
    application = make_application([Mount("policy", mount, driver, {"alice": "write"})], shared)
    seen: list[str] = []
    environ = {
        "REQUEST_METHOD": "PROPFIND",
        "REQUEST_URI": quote(change(mount)) + "/",
        "HTTP_DEPTH": "0",
        "davbridge.user": "alice",
    }
    body = b"".join(application(environ, lambda status, headers, exc_info=None: seen.append(status)))
    assert seen == ["207 Multi-Status"]
    assert b"<D:collection/>" in body
    database.close()
