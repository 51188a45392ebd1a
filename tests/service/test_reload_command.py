"""`davbridge reload` and SIGHUP, on bridges that are processes: alone, and with workers."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from davbridge.auth import hash_password
from davbridge.emulator import Emulator
from davbridge.emulator.faults import Delay
from tests.service.test_serve import change, run
from tests.support.dav import Dav, Wire
from tests.support.serving import Serving, command_line, serving, write_configuration
from tests.support.world import eventually

BIG = 48 * 2**20
CAROL = hash_password("carol's")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        running.drive("business").put("/big.bin", bytes(BIG))
        running.drive("business").put("/sub/inside.txt", b"x")
        yield running


@pytest.fixture(params=[1, 2])
def running(emulator: Emulator, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A bridge of one process, then one of two workers."""
    with serving(write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=request.param)) as running:
        assert running.address, running.log
        yield running


@pytest.fixture
def two(emulator: Emulator, tmp_path: Path) -> Iterator[Serving]:
    """Two workers."""
    with serving(write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2)) as running:
        assert running.address, running.log
        yield running


def config_of(running: Serving) -> Path:
    """Its file."""
    return running.log_file.with_suffix(".yaml")


def carol_instead_of_bob(data: dict) -> None:
    """Another user."""
    del data["users"]["bob"], data["policies"]["team"]["access"]["bob"]
    data["users"]["carol"] = {"password": CAROL}
    data["policies"]["team"]["access"]["carol"] = "read"


def reload(running: Serving) -> subprocess.CompletedProcess[str]:
    """The command."""
    return run("reload", "--config", str(config_of(running)))


def statuses(running: Serving, user: str, password: str, count: int = 16) -> set[int]:
    """What PROPFIND on that many fresh connections says: so many that each worker has had some.

    Each comes from an address of its own, since a wrong password slows down whoever comes from the same one.
    """
    found = set()
    base = f"http://{running.address}"
    for number in range(count):
        with closing(Dav(base, user, password, "/team/", wire=Wire(base, None, f"127.0.1.{number + 1}"))) as client:
            found.add(client.propfind().status)
    return found


def test_reload(running: Serving) -> None:
    """The command waits for the outcome and tells it; all workers have switched, and a download goes on."""
    with closing(running.dav()) as client, closing(http.client.HTTPConnection(running.address, timeout=60)) as wire:
        wire.request("GET", "/me/big.bin", headers={"Authorization": str(client.auth)})
        answer = wire.getresponse()
        assert statuses(running, "bob", "hidden") == {207}
        change(config_of(running), carol_instead_of_bob)
        done = reload(running)
        assert done.returncode == 0, done.stderr
        assert "user carol added" in done.stdout
        assert statuses(running, "bob", "hidden") == {401}
        assert statuses(running, "carol", "carol's") == {207}
        assert len(answer.read()) == BIG
    assert "reloaded " in running.log
    assert "Traceback" not in running.log
    assert running.end() == 0


def test_a_secret_that_everybody_can_read(running: Serving) -> None:
    """It is told at each reload, as at the start."""
    folder = config_of(running).parent
    (folder / "secret").chmod(0o644)
    folder.chmod(0o755)
    assert reload(running).returncode == 0
    told = running.log.partition("reloaded ")[2]
    assert "holds the client secret of account contoso, and everybody on this machine can read it" in told


def test_a_file_that_cannot_be_used(running: Serving) -> None:
    """Exit status 78 with the reason, which the log has, too; what serves goes on, and takes the mended file."""
    good = config_of(running).read_text()
    mistakes: list[tuple[Callable[[dict], None] | str, str]] = [
        (lambda data: data["policies"]["team"].update(librari="x"), "did you mean 'library'?"),
        (lambda data: data["policies"]["team"].update(library="Dokuments"), "policy team: "),
    ]
    for mistake, reason in mistakes:
        change(config_of(running), mistake)  # type: ignore[arg-type]
        done = reload(running)
        assert done.returncode == 78, done.stderr
        assert reason in done.stderr
        assert reason in running.log.partition("not reloaded")[2]
        config_of(running).write_text(good)
    assert statuses(running, "bob", "hidden") == {207}
    assert reload(running).returncode == 0
    config_of(running).write_text("policies: [")
    # with a file that cannot even be read, the bridge is looked for where it would be without one
    done = run("reload", "--config", str(config_of(running)))
    assert done.returncode == 78
    assert "goes on with the former configuration: " in done.stderr
    assert "not valid YAML" in done.stderr


def test_sighup(running: Serving) -> None:
    """The signal does the same; what wants a restart is told in the log."""

    def more(data: dict) -> None:
        carol_instead_of_bob(data)
        data["server"]["listen"] = "127.0.0.1:1"

    change(config_of(running), more)
    os.kill(running.process.pid, signal.SIGHUP)
    eventually(lambda: "reloaded " in running.log, 30)
    assert "Not without a restart: server.listen" in running.log
    assert statuses(running, "carol", "carol's") == {207}
    assert statuses(running, "bob", "hidden") == {401}


def test_nobody_is_there(emulator: Emulator, tmp_path: Path) -> None:
    """Exit status 1, also when a bridge was killed and its mark is left behind: no process gets a signal."""
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=1)
    done = run("reload", "--config", str(config))
    assert done.returncode == 1
    assert "no bridge runs with the state folder" in done.stderr
    with serving(config) as running:
        running.end(signal.SIGKILL)
    mark = tmp_path / "state" / "serving.lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        assert mark.exists()
        mark.write_text(str(bystander.pid))
        assert run("reload", "--config", str(config)).returncode == 1
        assert bystander.poll() is None
        bystander.communicate(b"\n")
        assert bystander.returncode == 0


def test_a_terminal_that_is_closed(two: Serving) -> None:
    """SIGHUP to the whole group: the supervisor reloads, and no worker ends."""
    before = two.workers()
    os.killpg(two.process.pid, signal.SIGHUP)
    eventually(lambda: "reloaded " in two.log, 30)
    assert two.workers() == before


def test_a_worker_that_is_killed_comes_back_with_the_new_configuration(two: Serving) -> None:
    """Whoever starts after a reload has what was loaded."""
    change(config_of(two), carol_instead_of_bob)
    assert reload(two).returncode == 0
    for _ in range(2):
        killed = two.workers()[0]
        os.kill(killed, signal.SIGKILL)
        eventually(lambda killed=killed: not command_line(killed) and len(two.workers()) == 2, 20)
        eventually(lambda: statuses(two, "carol", "carol's") == {207}, 20)
        assert statuses(two, "bob", "hidden") == {401}


def test_all_or_none(two: Serving) -> None:
    """One worker that is stopped cannot prepare: while it has not, no other switches; when it is killed, none does."""
    change(config_of(two), carol_instead_of_bob)
    stopped = two.workers()[1]
    os.kill(stopped, signal.SIGSTOP)
    command = [sys.executable, "-m", "davbridge", "reload", "--config", str(config_of(two))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as asking:
        began = two.log_file.parent / "state" / "reload.json"
        eventually(lambda: '"began": 1' in began.read_text(), 60)
        time.sleep(2)  # enough for the other one to prepare
        assert asking.poll() is None
        os.kill(stopped, signal.SIGKILL)
        said = asking.communicate(timeout=30)[1]
        assert asking.returncode == 1
    assert "worker 2 ended over it" in said
    eventually(lambda: len(two.workers()) == 2, 20)
    assert statuses(two, "bob", "hidden") == {207}
    assert reload(two).returncode == 0
    assert statuses(two, "bob", "hidden") == {401}


def test_while_draining(running: Serving) -> None:
    """It is refused, and the download that is waited for ends as it should."""
    with closing(running.dav()) as client, closing(http.client.HTTPConnection(running.address, timeout=60)) as wire:
        wire.request("GET", "/me/big.bin", headers={"Authorization": str(client.auth)})
        answer = wire.getresponse()
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping: requests under way" in running.log, 10)
        done = reload(running)
        assert done.returncode == 1, done.stdout
        assert "the bridge is about to end" in done.stderr
        assert len(answer.read()) == BIG
    assert running.process.wait(20) == 0
    assert "Traceback" not in running.log


def test_sigterm_during_a_reload(running: Serving, emulator: Emulator) -> None:
    """It does not wait for Microsoft, and whoever asked for the reload is told."""
    for operation in ("get item", "get drive or site"):
        emulator.faults.add(operation, Delay(12.0), times=50)
    try:
        change(config_of(running), lambda data: data["policies"]["me"].update(root="/sub"))
        command = [sys.executable, "-m", "davbridge", "reload", "--config", str(config_of(running))]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as asking:
            eventually(lambda: '"began": 1' in (running.log_file.parent / "state/reload.json").read_text(), 20)
            began = time.monotonic()
            assert running.end() == 0
            assert time.monotonic() - began < 11
            assert "the bridge " in asking.communicate(timeout=30)[1]
            assert asking.returncode == 1
    finally:
        emulator.faults.clear()


def test_systemd_is_told(emulator: Emulator, tmp_path: Path) -> None:
    """RELOADING with the time it began (sd_notify(3)), then READY, also when the file cannot be used."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = f"/tmp/davbridge-notify-{os.getpid()}"
        manager.bind(path)
        manager.settimeout(30)
        try:
            config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=1)
            with serving(config, env={**os.environ, "NOTIFY_SOCKET": path}) as running:
                assert manager.recv(1000) == b"READY=1"
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                change(config, lambda data: data.update(nonsense=1))
                os.kill(running.process.pid, signal.SIGHUP)
                first, second = manager.recv(1000).decode(), manager.recv(1000).decode()
                assert first.startswith("RELOADING=1\nMONOTONIC_USEC=")
                assert before < int(first.rpartition("=")[2]) < before + 30_000_000
                assert second == "READY=1\nSTATUS=not reloaded, the former configuration goes on"
                running.process.send_signal(signal.SIGTERM)
                assert manager.recv(1000) == b"STOPPING=1"
        finally:
            os.unlink(path)


def test_ten_reloads_leak_nothing(running: Serving) -> None:
    """Neither threads nor sockets and files, with pollers and push channels at work.

    Without the SQLite files: each of the server's threads opens them when it comes to it, whatever is reloaded.
    """

    def files(pid: int) -> int:
        count = 0
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # it may have been closed since
                count += ".sqlite" not in os.readlink(link)
        return count

    def counts() -> list[tuple[int, int]]:
        pids = running.workers() or [running.process.pid]
        return [(len(os.listdir(f"/proc/{pid}/task")), files(pid)) for pid in pids]

    def once(number: int) -> None:
        # another root each time, so that nothing is taken over
        change(config_of(running), lambda data: data["policies"]["me"].update(root="/sub" if number % 2 else "/"))
        assert reload(running).returncode == 0
        for mount in ("me", "team"):
            for _ in range(8):
                with closing(running.dav(mount)) as client:
                    client.propfind(depth=1, check=207)

    def settled() -> list[tuple[int, int]]:
        """The counts once they have stood still for two seconds."""
        last, since = counts(), time.monotonic()
        while time.monotonic() - since < 2:
            time.sleep(0.1)
            if (now := counts()) != last:
                last, since = now, time.monotonic()
        return last

    for number in range(2):
        once(number)
    before = settled()
    for number in range(10):
        once(number)
    after = settled()
    for one, later in zip(before, after, strict=True):
        # what a reload leaves behind is there ten times; the edge's threads and the connections come and go by a few
        assert later[0] < one[0] + 5, (before, after)
        assert later[1] < one[1] + 5, (before, after)


def test_the_unit_reloads() -> None:
    """`systemctl reload` waits for the outcome and fails with it."""
    unit = (Path(__file__).parents[2] / "systemd" / "davbridge.service").read_text()
    assert "ExecReload=/opt/davbridge/bin/davbridge reload --config /etc/davbridge/config.yaml\n" in unit
