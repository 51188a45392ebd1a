"""The servers under measure, each a process of its own: the bridge, `rclone serve webdav`, stock WsgiDAV.

The bridge and rclone stand in front of one emulator, itself a process; stock WsgiDAV serves a local folder and so shows
what the stack costs without any cloud behind it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Connection

LISTED_FILES = 10_000
USER, PASSWORD = "bench", "bench-password"


@dataclass(frozen=True)
class Server:
    """A running WebDAV server. `prefix` is the path of its tree."""

    name: str
    base: str
    prefix: str
    pid: int

    def connect(self) -> Connection:
        return Connection(self.base, USER, PASSWORD)

    def path(self, below: str) -> str:
        return self.prefix + below

    def warm(self) -> None:
        """Have each worker asked: a password's hash and the first sign-in are no part of what is measured."""
        for connection in [self.connect() for _ in range(16)]:
            connection.request("PROPFIND", self.path("/"), headers="Depth: 0\r\n")
            connection.close()

    def peak_memory(self) -> int:
        """Highest resident memory so far, in bytes (VmHWM), of the program and its workers together."""
        total = 0
        for pid in self._pids():
            status = Path(f"/proc/{pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            total += int(found[1]) * 1024 if found else 0
        return total

    def reset_peak(self) -> None:
        """Let `peak_memory` count from now on (proc(5), clear_refs)."""
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], log: Path, *, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child process, ended with SIGTERM; its output goes to `log`."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
        )
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


def wait_for(port: int, child: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Return when something listens on `port`.

    Raises:
        RuntimeError: the process ended, or nothing listens in time; with the end of its log.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"not listening on {port}:\n{log.read_text()[-2000:]}")


@contextmanager
def all_servers(work: Path) -> Iterator[list[Server]]:
    """Bridge, rclone and stock WsgiDAV, each with the folder `/many` of 10,000 files in it."""
    with ExitStack() as stack:
        emulator = stack.enter_context(emulated())
        yield [
            stack.enter_context(_bridge(work, emulator)),
            stack.enter_context(rclone(work, emulator)),
            stack.enter_context(_stock(work)),
        ]


@contextmanager
def emulated() -> Iterator[dict[str, str]]:
    """The emulator as a process of its own; gives what it tells of itself."""
    # its output is a pipe and not a log: the first line says where it listens
    child = subprocess.Popen(
        [sys.executable, "-m", "davbridge.emulator", "--json"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        facts: dict[str, str] = json.loads(child.stdout.readline())
        yield facts
    finally:
        child.terminate()
        child.wait(30)


def _bin(program: str) -> str:
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if not found:
        raise RuntimeError(f"{program} is not installed: run `make bench`, which installs it")
    return found


@contextmanager
def _bridge(work: Path, emulator: dict[str, str]) -> Iterator[Server]:
    with bridge(work, emulator) as server:
        yield _filled(server)


@contextmanager
def bridge(work: Path, emulator: dict[str, str], *, poll: float = 15.0, workers: int | None = None) -> Iterator[Server]:
    """The bridge over the emulator's business drive; its state stays in `work`, for the next one.

    With one worker the process is the one that serves; else it is the supervisor.
    """
    from davbridge.auth.passwords import hash_password

    port = free_port()
    secret = work / "secret"
    secret.write_text(emulator["client_secret"])
    configuration = work / "bridge.yaml"
    configuration.write_text(
        f"""
server: {{listen: "127.0.0.1:{port}"{f", workers: {workers}" if workers else ""}}}
state: {{directory: {work / "state"}}}
accounts:
  bench:
    tenant: {emulator["tenant"]}
    client_id: {emulator["client_id"]}
    sign_in: client_secret
    client_secret: {{file: {secret}}}
    cloud: {{graph: "{emulator["graph_url"]}", login: "{emulator["login_url"]}", ca_file: "{emulator["ca_file"]}"}}
policies:
  bench:
    mount: /bench
    account: bench
    driver: onedrive
    user: {emulator["user"]}
    download: proxy
    access: {{{USER}: write}}
    poll: {poll}
users:
  {USER}: {{password: "{hash_password(PASSWORD)}"}}
"""
    )
    log = work / "bridge.log"
    command = [_bin("davbridge"), "serve", "--config", str(configuration)]
    with process(command, log) as child:
        wait_for(port, child, log)
        yield Server("davbridge", f"http://127.0.0.1:{port}", "/bench", child.pid)


@contextmanager
def rclone(work: Path, emulator: dict[str, str]) -> Iterator[Server]:
    """`rclone serve webdav` over the same drive, as it comes: without a cache."""
    port = free_port()
    configuration = work / "rclone.conf"
    token = json.dumps(
        {"access_token": emulator["access_token"], "token_type": "Bearer", "expiry": "2099-01-01T00:00:00Z"}
    )
    configuration.write_text(
        "[cloud]\ntype = onedrive\nregion = global\ndrive_type = business\n"
        f"drive_id = {emulator['drive_id']}\ntoken = {token}\n"
    )
    log = work / "rclone.log"
    command = [
        _bin("rclone"),
        "--config",
        str(configuration),
        "--ca-cert",
        emulator["ca_file"],
        "serve",
        "webdav",
        "cloud:",
    ]
    command += ["--addr", f"127.0.0.1:{port}", "--user", USER, "--pass", PASSWORD, "--vfs-cache-mode", "off"]
    with process(command, log, env={"HTTPS_PROXY": emulator["proxy_url"], "NO_PROXY": "127.0.0.1"}) as child:
        wait_for(port, child, log)
        yield Server("rclone", f"http://127.0.0.1:{port}", "", child.pid)


@contextmanager
def _stock(work: Path) -> Iterator[Server]:
    port = free_port()
    root = work / "stock"
    root.mkdir()
    configuration = work / "wsgidav.yaml"
    users = {"*": {USER: {"password": PASSWORD}}}
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(root)},
        "simple_dc": {"user_mapping": users},
        "verbose": 1,
    }
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    log = work / "wsgidav.log"
    with process([_bin("wsgidav"), "--config", str(configuration)], log) as child:
        wait_for(port, child, log)
        yield _filled(Server("WsgiDAV", f"http://127.0.0.1:{port}", "", child.pid))


@contextmanager
def helper(work: Path, module: str, prefix: str = "", *options: str) -> Iterator[Server]:
    """One of our own small servers: `bench.floor` or `bench.large`."""
    port = free_port()
    log = work / f"{module}.log"
    with process([sys.executable, "-m", module, str(port), *options], log) as child:
        wait_for(port, child, log)
        yield Server(module, f"http://127.0.0.1:{port}", prefix, child.pid)


def _filled(server: Server) -> Server:
    """Make `/many`; through the server itself, so that no server is handed a state it did not make."""
    connection = server.connect()
    connection.request("MKCOL", server.path("/many/"))
    for number in range(LISTED_FILES):
        status, _ = connection.request(
            "PUT", server.path(f"/many/document {number:05}.txt".replace(" ", "%20")), body=b"x"
        )
        if status not in (201, 204):
            raise RuntimeError(f"{server.name}: PUT answered {status}")
    return server
