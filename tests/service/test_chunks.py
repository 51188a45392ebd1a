"""Uploads in chunks outlive the bridge: `kill -9` at any time, and a restart."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from davbridge import killpoint
from davbridge.emulator import Emulator
from tests.support.serving import serving, write_configuration
from tests.support.world import eventually

UPLOAD = "/remote.php/dav/uploads/alice/one"
CONTENT = b"first second third 4"
TOTAL = {"OC-Total-Length": "20"}


def test_no_death_loses_a_chunk(tmp_path: Path) -> None:
    """A worker dies as it has stored the whole, then all processes do, in the middle of a chunk.

    The next bridge has every chunk that was acknowledged, none that was not, and the upload comes to its end.
    """
    (assembled,) = killpoint.UPLOAD_IN_CHUNKS
    folder = tmp_path / "state" / "chunks"
    with Emulator.start() as emulator:
        config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2, nextcloud_chunks="64M")
        with serving(config, env={**os.environ, "DAVBRIDGE_KILL_AT": assembled}) as running:
            for place in (0, 1, 2, 3, 4):
                # a connection for each, so that either worker has some
                with closing(running.dav()) as client:
                    if place:
                        client.put(f"{UPLOAD}/{place}", CONTENT[place * 5 - 5 : place * 5], check=201)
                    else:
                        client.mkcol(UPLOAD, check=201)
            with closing(running.dav()) as client, pytest.raises((OSError, http.client.HTTPException)):
                client.move(f"{UPLOAD}/.file", "a.bin", headers=TOTAL)
            host, _, port = running.address.partition(":")
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                lines = ("PUT " + UPLOAD + "/5 HTTP/1.1", "Host: x", f"Authorization: {running.dav().auth}")
                connection.sendall("\r\n".join((*lines, "Content-Length: 1000", "", "half")).encode())
                eventually(lambda: list(folder.rglob("*.part")), 30)
                os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait(10)
        with serving(config) as running, closing(running.dav()) as client:
            listed = client.propfind(UPLOAD, depth=1, body="<D:getcontentlength/>", check=207).resources[1:]
            sizes = {one.href.rpartition("/")[2]: one["getcontentlength"] for one in listed}
            assert sizes == {"1": "5", "2": "5", "3": "5", "4": "5"}
            # it had been stored already, so the file is replaced
            client.move(f"{UPLOAD}/.file", "a.bin", headers=TOTAL, check=204)
            assert client.get("a.bin", check=200).body == CONTENT
            client.propfind(UPLOAD, check=404)
            # what the dead have left beside goes at the start, or with the upload
            eventually(lambda: [path.name for path in folder.rglob("*") if path.is_file()] == [".space"], 10)
