"""Several worker processes: who answers, who is replaced, how it ends, and what all of them know."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from tests.support.dav import Dav
from tests.support.serving import Serving, command_line, serving, write_configuration
from tests.support.world import eventually

BIG = 48 * 2**20
"""More than all the buffers between the emulator and a client that does not read."""
CONNECTIONS = 24
"""So many that either worker has very likely had some."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        running.drive("business").put("/big.bin", bytes(BIG))
        running.drive("business").put("/a.txt", b"content")
        yield running


@pytest.fixture
def running(emulator: Emulator, tmp_path: Path) -> Iterator[Serving]:
    """Two workers on any port."""
    with serving(write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2)) as running:
        yield running


def on_many(running: Serving, ask: Callable[[Dav], object], count: int = CONNECTIONS) -> list[object]:
    """Ask on `count` connections, each fresh."""
    results = []
    for _ in range(count):
        with closing(running.dav()) as client:
            results.append(ask(client))
    return results


@contextmanager
def begun_download(running: Serving) -> Iterator[http.client.HTTPResponse]:
    """A download of which only the head has been read."""
    auth = str(running.dav().auth)
    with closing(http.client.HTTPConnection(running.address, timeout=60)) as connection:
        connection.request("GET", "/me/big.bin", headers={"Authorization": auth})
        with connection.getresponse() as answer:
            assert answer.status == 200
            yield answer


def refuses(address: str) -> bool:
    """Whether nobody listens there."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_two_workers_answer(running: Serving) -> None:
    """Both of them, on the one port that was free, and one of them alone has looked the drives up."""
    assert len(running.workers()) == 2
    # whoever has time answers, so one of them may do so for a while
    eventually(
        lambda: on_many(running, lambda dav: dav.options(check=200)) and len(running.answered("OPTIONS")) == 2, 20
    )
    assert running.log.count("policy me: business drive") == 1


def test_a_killed_worker_is_replaced(running: Serving) -> None:
    """The other one answers meanwhile, and soon there are two again."""
    killed, other = running.workers()
    os.kill(killed, signal.SIGKILL)
    # its command line is gone earlier than its sockets
    eventually(lambda: "ended with signal 9; another one is started now" in running.log)
    on_many(running, lambda dav: dav.options(check=200))
    eventually(lambda: len(running.workers()) == 2, 20)
    assert killed not in running.workers()
    assert other in running.workers()
    eventually(lambda: on_many(running, lambda dav: dav.propfind(check=207)) and len(running.answered("PROPFIND")) == 2)
    assert running.end() == 0


def test_sigterm_lets_a_download_finish(running: Serving) -> None:
    """Nobody is let in any more, but who is in gets all of it; then the exit status is 0."""
    with begun_download(running) as answer:
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(running.address), 10)
        time.sleep(0.5)
        assert len(answer.read()) == BIG
    assert running.process.wait(20) == 0
    assert "Traceback" not in running.log


def test_a_second_signal_does_not_wait(running: Serving) -> None:
    """What is under way is cut."""
    with begun_download(running) as answer:
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(running.address), 10)
        assert running.process.poll() is None
        workers = running.workers()
        assert running.end(seconds=10) == 0
        assert not any(command_line(pid) for pid in workers)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            answer.read()


def test_ctrl_c(running: Serving) -> None:
    """A terminal sends SIGINT to the whole group: the download is finished all the same, and nobody complains."""
    with begun_download(running) as answer:
        os.killpg(running.process.pid, signal.SIGINT)
        eventually(lambda: refuses(running.address), 10)
        assert len(answer.read()) == BIG
    assert running.process.wait(20) == 0
    assert "Traceback" not in running.log


def test_no_worker_outlives_the_supervisor(running: Serving) -> None:
    """Also when it cannot say goodbye."""
    workers = running.workers()
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: not any(command_line(pid) for pid in workers), 20)
    assert refuses(running.address)


def test_a_lock_holds_for_all(running: Serving) -> None:
    """Granted on one connection, it is seen on all, and so is its end."""
    with closing(running.dav()) as client:
        token = client.lock("a.txt", check=(200, 201)).token
        answers = on_many(running, lambda dav: dav.put("a.txt", b"other").status)
        assert set(answers) == {423}
        eventually(lambda: running.answered("PUT") == {"1", "2"})
        client.unlock("a.txt", token, check=204)
    assert set(on_many(running, lambda dav: dav.put("a.txt", b"content").status, 4)) <= {201, 204}


def test_a_write_is_seen_on_all(running: Serving) -> None:
    """What one worker has written, replaced, renamed or deleted is so for every read that begins afterwards (law 1)."""
    with closing(running.dav()) as client:
        assert set(on_many(running, lambda dav: dav.get("new.txt").status, 6)) == {404}
        client.put("new.txt", b"one", check=201)
        assert set(on_many(running, lambda dav: dav.get("new.txt").body)) == {b"one"}
        client.put("new.txt", b"two", check=204)
        assert set(on_many(running, lambda dav: dav.get("new.txt").body)) == {b"two"}
        client.move("new.txt", "old.txt", check=201)
        assert set(on_many(running, lambda dav: (dav.get("new.txt").status, dav.get("old.txt").body))) == {
            (404, b"two")
        }
        client.delete("old.txt", check=204)
        assert set(on_many(running, lambda dav: b"old.txt" in dav.propfind(depth=1).body)) == {False}
    eventually(lambda: running.answered("GET") == {"1", "2"})


def test_a_pause_holds_for_all(running: Serving, emulator: Emulator) -> None:
    """Microsoft throttles one worker: no other sends anything before the end of the pause."""
    emulator.faults.add("*", Status(429, retry_after=120, code="activityLimitReached"))
    assert on_many(running, lambda dav: dav.get("a.txt").status, 1) == [503]
    with emulator.calls.counting() as calls:
        assert set(on_many(running, lambda dav: dav.get("a.txt").status)) == {503}
    eventually(lambda: running.answered("GET") == {"1", "2"})
    assert calls.graph == 0, "rejected calls prolong the throttling"


def test_reserved_names_are_settled_once(running: Serving, emulator: Emulator) -> None:
    """One worker of the two does the background work; when it dies, the other does."""
    lock = running.log_file.parent / "state" / "settle.lock"
    eventually(lock.exists, 15)
    holders = eventually_held(lock, running)
    os.kill(holders[0], signal.SIGKILL)
    eventually(lambda: not command_line(holders[0]))
    assert eventually_held(lock, running) != holders


def eventually_held(lock: Path, running: Serving) -> list[int]:
    """The one worker that has the file open."""

    def holders() -> list[int]:
        found = []
        for pid in running.workers():
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):  # it may have been closed since
                    found += [pid] * (os.readlink(link) == str(lock))
        return found

    eventually(lambda: len(holders()) == 1, 15)
    return holders()


def test_a_second_bridge_is_refused_the_port(running: Serving, emulator: Emulator, tmp_path: Path) -> None:
    """With one sentence."""
    folder = tmp_path / "second"
    folder.mkdir()
    with serving(write_configuration(emulator, folder, listen=running.address, workers=2)) as second:
        assert second.process.wait(20) == 78
    assert f"{running.address} is in use by another program" in second.log
    assert "Traceback" not in second.log


def test_a_mistake_is_told_once(emulator: Emulator, tmp_path: Path) -> None:
    """However many workers there are: one line, and nobody has listened."""
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=3)
    (tmp_path / "secret").write_text("wrong")
    with serving(config) as running:
        assert running.process.wait(20) == 78
    assert running.log.count("the client secret is wrong") == 1
    assert len(running.log.splitlines()) == 1


def test_a_unix_socket(emulator: Emulator, tmp_path: Path) -> None:
    """All workers accept from one socket; a second bridge is refused it, and a socket left behind is replaced."""
    path = tmp_path / "dav.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    config = write_configuration(emulator, tmp_path, listen=f"unix:{path}", workers=2)
    with serving(config) as running:
        for _ in range(CONNECTIONS):
            assert ask(path) == b"HTTP/1.1 200 OK"
        held = [connect(path) for _ in range(8)]
        answers = [ask_on(one) for one in held]
        assert set(answers) == {b"HTTP/1.1 200 OK"}
        folder = tmp_path / "second"
        folder.mkdir()
        with serving(write_configuration(emulator, folder, listen=f"unix:{path}", workers=2)) as second:
            assert second.process.wait(20) == 78
        assert "is in use by another program" in second.log
        assert ask(path) == b"HTTP/1.1 200 OK"
        assert running.end() == 0


def connect(path: Path) -> socket.socket:
    """A connection to a Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(path))
    return sock


def ask_on(sock: socket.socket) -> bytes:
    """The status line of an OPTIONS."""
    with sock:
        sock.sendall(b"OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return sock.recv(4096).partition(b"\r\n")[0]


def ask(path: Path) -> bytes:
    """As `ask_on`, on a fresh connection."""
    return ask_on(connect(path))


def test_a_socket_of_systemd(emulator: Emulator, tmp_path: Path) -> None:
    """A socket that is passed (sd_listen_fds(3)) is shared by all workers."""
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2)
    with socket.create_server(("127.0.0.1", 0)) as passed:
        number = passed.getsockname()[1]
        script = (
            f"import os, sys; os.dup2({passed.fileno()}, 3); "
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[1], sys.argv[1:])"
        )
        with serving(config, sys.executable, "-c", script, pass_fds=[passed.fileno()]) as running:
            assert running.address == f"127.0.0.1:{number}"
            on_many(running, lambda dav: dav.options(check=200))
            assert running.end() == 0
