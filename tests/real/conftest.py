"""`davbridge demo` as a person starts it; the tests paste the lines that it prints."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.real.programs import ENVIRONMENT


@dataclass(frozen=True)
class Demo:
    """A running demo: what it printed, and the facts read out of it."""

    text: str
    base: str
    user: str
    password: str

    def line(self, *words: str) -> str:
        """The printed command line that holds all of `words`."""
        lines = [line.strip() for line in self.text.splitlines() if line.startswith("  ")]
        found = [line for line in lines if all(word in line for word in words)]
        assert found, f"the demo printed no line with {words}:\n{self.text}"
        return found[0]


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """One demo for all the real clients; it must end cleanly on Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "davbridge", "demo", "--port", "0"],
        env={**ENVIRONMENT, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    watchdog.cancel()
    text = "".join(lines)
    rest = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    rest.start()
    try:
        base = re.search(r"http://127\.0\.0\.1:\d+", text)
        user = re.search(r"(?im)^\s*user:?\s+(\S+)", text)
        password = re.search(r"(?im)^\s*password:?\s+(\S+)", text)
        if not (base and user and password):
            pytest.fail(f"the demo does not say where and who:\n{text}")
        yield Demo(text, base[0], user[1], password[1])
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
        rest.join(10)
        process.stdout.close()
    tail = "".join(lines)[len(text) :]
    assert status == 0, f"the demo ended with {status}:\n{tail}"
    assert "Traceback" not in tail, tail
