"""`davbridge serve` as a process: its log, and its workers as /proc has them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from davbridge.emulator import Emulator
from tests.support import leaks
from tests.support.dav import Dav
from tests.support.world import USERS, configuration, eventually


@dataclass
class Serving:
    """A running `davbridge serve`, alone in its process group."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def address(self) -> str:
        """The first address that it serves on."""
        found = re.search(r"serving on ([^\s,]+)", self.log)
        return found[1] if found else ""

    def dav(self, mount: str = "me") -> Dav:
        """A client on a connection of its own."""
        return Dav(f"http://{self.address}", "alice", USERS["alice"], f"/{mount}/")

    def workers(self) -> list[int]:
        """The process ids of its workers: its children that were spawned to work."""
        return [pid for pid in descendants(self.process.pid) if b"spawn_main" in command_line(pid)]

    def answered(self, method: str) -> set[str]:
        """The numbers of the workers that have logged a request of this method."""
        return set(re.findall(rf"worker (\d+) davbridge\.access: \S+ \S+ {method} ", self.log))

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Send a signal to the supervisor and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


def descendants(pid: int) -> list[int]:
    """The children of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_line(pid: int) -> bytes:
    """Empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def write_configuration(emulator: Emulator, folder: Path, **server: object) -> Path:
    """A configuration file for `emulator`, with the `server` section given."""
    data = json.loads(configuration(emulator, folder).model_dump_json(exclude_defaults=True))
    data["server"] = server
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@contextmanager
def serving(config: Path, *before: str, **options: object) -> Iterator[Serving]:
    """It serves in the block, and is ended after it; `before` stands before the command."""
    log_file = config.with_suffix(".log")
    command = [*before, sys.executable, "-m", "davbridge", "serve", "--config", str(config)]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stderr=log, start_new_session=True, **options)  # type: ignore[call-overload]
    running = Serving(process, log_file)
    try:
        eventually(lambda: running.address or process.poll() is not None, 60)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        leaks.look(running.log, "log of a served bridge")
