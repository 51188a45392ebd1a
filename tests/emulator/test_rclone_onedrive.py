"""A client that is not ours: rclone's onedrive backend, unmodified, against the emulator by a CONNECT proxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from tests.real.programs import ENVIRONMENT, need
from tests.real.trees import MEGABYTE, digest, make_tree

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
Rclone = Callable[..., str]


@pytest.fixture(params=["business", "documentLibrary"])
def rclone(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Rclone:
    """`rclone("copy", …)` with a remote `cloud:` on the business drive, then on the SharePoint library."""
    program = need("rclone")
    drive = emulator.drive("business" if request.param == "business" else "documents")
    token = {"access_token": emulator.access_token(), "token_type": "Bearer", "expiry": "2099-01-01T00:00:00Z"}
    settings = tmp_path / "rclone.conf"
    settings.write_text(
        f"[cloud]\ntype = onedrive\nregion = global\ndrive_type = {request.param}\ndrive_id = {drive.id}\n"
        f"token = {json.dumps(token)}\n"
    )
    # copies are watched without --ca-cert's trust, so the certificate file of the whole program is set
    env = {**ENVIRONMENT, "HTTPS_PROXY": emulator.proxy_url, "SSL_CERT_FILE": emulator.ca_file, "NO_PROXY": "127.0.0.1"}

    def run(*words: str) -> str:
        command = [program, "--config", str(settings), "--ca-cert", emulator.ca_file, "--retries", "1", *words]
        done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=200, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


def test_copy_check_move_delete_about(rclone: Rclone, tmp_path: Path) -> None:
    """A mixed tree goes up and comes back without a difference; moves, copies, deletes and sizes are right."""
    tree = make_tree(tmp_path / "tree", largest=30 * MEGABYTE)
    (tree / "thirty.bin").write_bytes(bytes(range(256)) * (30 * MEGABYTE // 256))
    rclone("copy", str(tree), "cloud:tree")
    assert "0 differences found" in rclone("check", str(tree), "cloud:tree")
    assert "0 differences found" in rclone("check", "--download", str(tree), "cloud:tree")
    back = tmp_path / "back"
    rclone("copy", "cloud:tree", str(back))
    assert digest(back) == digest(tree)
    rclone("moveto", "cloud:tree", "cloud:moved")
    rclone("moveto", "cloud:moved/with spaces.txt", "cloud:moved/plain.txt")
    rclone("copyto", "cloud:moved/five.bin", "cloud:moved/copy of five.bin")
    names = {entry["Path"] for entry in json.loads(rclone("lsjson", "-R", "--files-only", "cloud:moved"))}
    assert {"plain.txt", "copy of five.bin", "deep/er/and deeper/leaf.txt"} <= names
    assert "with spaces.txt" not in names
    assert json.loads(rclone("about", "--json", "cloud:"))["used"] > 39 * MEGABYTE
    rclone("deletefile", "cloud:moved/plain.txt")
    rclone("purge", "cloud:moved")
    assert json.loads(rclone("lsjson", "cloud:")) == []


def test_sync_changes_only_what_differs(rclone: Rclone, emulator: Emulator, tmp_path: Path) -> None:
    """A second sync sends nothing; a changed file is sent alone, with its time."""
    tree = make_tree(tmp_path / "tree", largest=MEGABYTE)
    rclone("sync", str(tree), "cloud:tree")
    with emulator.calls.counting() as calls:
        rclone("sync", str(tree), "cloud:tree")
    assert calls.upload == 0
    (tree / "with spaces.txt").write_text("changed")
    rclone("sync", str(tree), "cloud:tree")
    assert "0 differences found" in rclone("check", "--download", str(tree), "cloud:tree")
