"""What is only to be tried leaves nothing behind when its terminal is closed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("words", [("davbridge.emulator", "--json"), ("davbridge", "demo", "--json", "--port", "0")])
def test_nothing_is_left(tmp_path: Path, words: tuple[str, ...]) -> None:
    """SIGHUP ends the emulator and the demo as SIGTERM does, with their temporary folders."""
    command = [sys.executable, "-m", *words]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["graph_url"]
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    assert list(tmp_path.iterdir()) == []
