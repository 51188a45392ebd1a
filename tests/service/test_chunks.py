"""Uploads in chunks outlive the bridge: a restart, and `kill -9` at every step."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from tests.support.dav import Answer, Dav
from tests.support.serving import Serving, serving, write_configuration
from tests.support.world import eventually

UPLOAD = "/remote.php/dav/uploads/alice/one"
CONTENT = b"first second third 4"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        yield running


@contextmanager
def lives(config: Path, kill_at: str = "") -> Iterator[Serving]:
    """Two workers, each of which dies at the point, as by `kill -9`; at the end all of them do, supervisor included."""
    with serving(config, env={**os.environ, "DAVBRIDGE_KILL_AT": kill_at}) as running:
        yield running
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(10)


def survives(running: Serving, work: Callable[[Dav], Answer]) -> bool:
    """Whether it was acknowledged, on a connection of its own, so that either worker has some."""
    with closing(running.dav()) as client:
        try:
            return work(client).status in (201, 204)
        except (OSError, http.client.HTTPException):
            return False


def test_no_death_loses_a_chunk(emulator: Emulator, tmp_path: Path) -> None:
    """Workers die as they store chunks, and as they have put them together: what was acknowledged is there each time.

    The last server knows of nothing but what is on the disk, and the upload comes to its end.
    """
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2, nextcloud_chunks="64M")
    move = {"OC-Total-Length": "20"}
    acknowledged: set[str] = set()
    with lives(config, "chunk written#2") as running:
        survives(running, lambda client: client.mkcol(UPLOAD))
        for place in (1, 2, 3, 4):
            work = partial(Dav.put, path=f"{UPLOAD}/{place}", body=CONTENT[place * 5 - 5 : place * 5])
            if survives(running, work):
                acknowledged.add(f"{place}")
    assert 0 < len(acknowledged) < 4
    with lives(config, "upload assembled") as running, closing(running.dav()) as client:
        listed = client.propfind(UPLOAD, depth=1, body="<D:getcontentlength/>", check=207).resources[1:]
        assert acknowledged <= {one.href.rpartition("/")[2] for one in listed}
        assert {one["getcontentlength"] for one in listed} == {"5"}
        for place in (1, 2, 3, 4):
            client.put(f"{UPLOAD}/{place}", CONTENT[place * 5 - 5 : place * 5], check=(201, 204))
        assert not survives(running, lambda client: client.move(f"{UPLOAD}/.file", "a.bin", headers=move))
    with lives(config) as running, closing(running.dav()) as client:
        assert len(client.propfind(UPLOAD, depth=1, check=207).resources) == 5
        client.move(f"{UPLOAD}/.file", "a.bin", headers=move, check=204)
        assert client.get("a.bin", check=200).body == CONTENT
        client.propfind(UPLOAD, check=404)
        # what the dead have left beside is swept at each start
        folder = tmp_path / "state" / "chunks"
        eventually(lambda: [path.name for path in folder.rglob("*") if path.is_file()] == [".space"], 10)
