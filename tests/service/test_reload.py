"""Another configuration behind the same listeners, in the test's own process: what changes, and what does not."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from davbridge.app import build
from davbridge.auth import hash_password
from davbridge.clock import SystemClock
from davbridge.config.changes import Changes, changes
from davbridge.config.model import Config
from davbridge.edge import Limits
from davbridge.emulator import Emulator
from davbridge.emulator.calls import Call, Counted
from davbridge.errors import ConfigError
from davbridge.running import Running
from tests.support.dav import Dav
from tests.support.site import Browser
from tests.support.world import configuration, eventually

BIG = 48 * 2**20
"""More than all the buffers between the emulator and a client that does not read."""
CAROL = hash_password("carol's")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        yield running


@dataclass
class Served:
    """A bridge that serves, and what its file would hold."""

    emulator: Emulator
    folder: Path
    data: dict
    running: Running
    base: str

    def dav(self, mount: str = "me", user: str = "alice", password: str = "secret", **more: object) -> Dav:
        """A client on a connection of its own."""
        return Dav(self.base, user, password, f"/{mount}/", **more)  # type: ignore[arg-type]

    def reload(self, change: Callable[[dict], object] = lambda data: None) -> Changes:
        """Change the file, and switch to it."""
        change(self.data)
        taken = changes(self.running.bridge.config, Config.model_validate(self.data))
        self.running.prepare(taken.config, probes=True)
        self.running.switch()
        return taken


@contextlib.contextmanager
def serving(emulator: Emulator, folder: Path, threads: int = 8, **server: object) -> Iterator[Served]:
    """A bridge with pollers and push, as a process has it."""
    emulator.reset()
    data = json.loads(configuration(emulator, folder).model_dump_json(exclude_defaults=True))
    data["server"] = {"listen": "127.0.0.1:0", "workers": 1, **server}
    running = Running(build(Config.model_validate(data), SystemClock(), Limits(threads=threads)))
    running.bridge.server.start()
    running.start()
    scheme = "https" if "tls" in server else "http"
    try:
        yield Served(emulator, folder, data, running, f"{scheme}://{running.bridge.server.addresses[0]}")
    finally:
        running.end()
        running.bridge.server.drain(5)
        running.bridge.close()
        eventually(lambda: "retiring" not in {thread.name for thread in threading.enumerate()}, 10)


@pytest.fixture
def served(emulator: Emulator, tmp_path: Path) -> Iterator[Served]:
    """One for each test."""
    with serving(emulator, tmp_path) as served:
        yield served


def ask(served: Served, mount: str = "me", user: str = "alice", password: str = "secret") -> int:
    """The status of a PROPFIND on a fresh connection."""
    with closing(served.dav(mount, user, password)) as client:
        return client.propfind().status


def asked(calls: Counted) -> list[Call]:
    """Graph calls without what pollers and push channels do by themselves."""
    return [one for one in calls.calls if one.kind == "graph" and one.operation not in ("delta", "socket.io")]


def without(data: dict, name: str) -> None:
    """Take a user out of the file."""
    del data["users"][name]
    for policy in data["policies"].values():
        policy["access"].pop(name, None)


def test_a_long_download_ends_on_the_former_bridge(served: Served) -> None:
    """All its bytes come, though its user, its policy and its account are gone; then the former bridge is closed."""
    content = os.urandom(BIG)
    served.emulator.drive("business").put("/big.bin", content)
    with closing(served.dav()) as client, closing(http.client.HTTPConnection(client.host, timeout=60)) as connection:
        connection.request("GET", "/me/big.bin", headers={"Authorization": str(client.auth)})
        answer = connection.getresponse()
        assert answer.status == 200

        def other(data: dict) -> None:
            data["accounts"]["other"] = data["accounts"].pop("contoso")
            data["policies"] = {"new": {**data["policies"]["team"], "account": "other", "mount": "/new"}}
            without(data, "alice")
            data["policies"]["new"]["access"] = {"bob": "write"}

        served.reload(other)
        assert ask(served) == 401
        assert "retiring" in {thread.name for thread in threading.enumerate()}
        assert answer.read() == content
    eventually(lambda: "retiring" not in {thread.name for thread in threading.enumerate()}, 10)


def test_what_is_logged_is_noted_once(served: Served) -> None:
    """By the status page of the bridge that serves, also while a former one has a request under way."""
    served.reload(lambda data: data["users"]["alice"].update(admin=True))
    listening = len(logging.getLogger("davbridge").handlers)
    served.emulator.drive("business").put("/big.bin", os.urandom(BIG))
    with closing(served.dav()) as client, closing(http.client.HTTPConnection(client.host, timeout=60)) as connection:
        connection.request("GET", "/me/big.bin", headers={"Authorization": str(client.auth)})
        answer = connection.getresponse()
        served.reload()
        assert "retiring" in {thread.name for thread in threading.enumerate()}
        assert len(logging.getLogger("davbridge").handlers) == listening
        answer.read()


def test_a_long_upload_ends_on_the_former_bridge(served: Served) -> None:
    """What was begun before the switch is stored whole, where it was meant to go."""
    content = os.urandom(12 * 2**20)
    with closing(served.dav()) as client, closing(http.client.HTTPConnection(client.host, timeout=60)) as connection:
        connection.putrequest("PUT", "/me/up.bin")
        connection.putheader("Authorization", str(client.auth))
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content[: 11 * 2**20])
        served.emulator.drive("business").mkdir("/elsewhere")
        # the first fragment has been sent on, so the request is under way
        eventually(lambda: any(call.operation == "put fragment" for call in served.emulator.calls.list()))
        served.reload(lambda data: data["policies"]["me"].update(root="/elsewhere"))
        connection.send(content[11 * 2**20 :])
        assert connection.getresponse().status == 201
        assert client.get("up.bin").status == 404
        served.reload(lambda data: data["policies"]["me"].update(root="/"))
        assert client.get("up.bin", check=200).body == content


def test_users_come_and_go_at_once(served: Served) -> None:
    """Somebody who is removed gets 401, though the password was right a moment ago on the very connection."""
    with closing(served.dav("team", "bob", "hidden")) as bob, closing(served.dav()) as alice:
        bob.propfind(check=207)
        alice.propfind(check=207)
        assert ask(served, "team", "carol", "carol's") == 401

        def instead(data: dict) -> None:
            without(data, "bob")
            data["users"]["carol"] = {"password": CAROL}
            data["policies"]["team"]["access"]["carol"] = "read"

        taken = served.reload(instead)
        assert {"user bob removed", "user carol added", "policy team changed"} == set(taken.taken)
        bob.propfind(check=401)
        alice.propfind(check=207)
        assert ask(served, "team", "carol", "carol's") == 207


def test_a_password_that_is_changed(served: Served) -> None:
    """The former one is worth nothing from the switch on; that of others stays known without another hash."""
    gate = served.running.bridge.gate
    with closing(served.dav()) as alice, closing(served.dav("team", "bob", "hidden")) as bob:
        alice.propfind(check=207)
        bob.propfind(check=207)
        served.reload(lambda data: data["users"]["bob"].update(password=CAROL))
        assert [name for name, _ in served.running.bridge.gate._known.values()] == ["alice"]
        assert gate is not served.running.bridge.gate
        bob.propfind(check=401)
        assert ask(served, "team", "bob", "carol's") == 207


def test_policies_come_and_go(served: Served) -> None:
    """A new one is mounted, a removed one is 404, and what is left costs no look-up."""
    with closing(served.dav()) as client:
        client.propfind(check=207)
        served.emulator.drive("documents").put("/a.txt", b"x")

        def other(data: dict) -> None:
            team = data["policies"].pop("team")
            data["policies"]["shared"] = {**team, "mount": "/shared"}

        served.reload(other)
        client.get("/shared/a.txt", check=200)
        client.propfind("/team/", check=404)
        with served.emulator.calls.counting() as calls:
            client.put("b.txt", b"x", check=201)
        assert len(asked(calls)) == 1, "the drive is known, and so is its root"


def test_another_root_is_another_tree(served: Served) -> None:
    """Of the former one no row, lock, property or side file is seen; given back its root, a policy has them again."""
    drive = served.emulator.drive("business")
    for name in ("one", "two"):
        drive.put(f"/{name}/only in {name}.txt", b"x")
        drive.put(f"/{name}/both.txt", name.encode())
    served.reload(lambda data: data["policies"]["me"].update(root="/one"))
    with closing(served.dav()) as client:
        client.propfind(depth=1, check=207)
        client.lock("both.txt", check=200)
        client.proppatch("only%20in%20one.txt", set_="<x:colour>red</x:colour>", check=207)
        client.put("._both.txt", b"junk", check=201)
        served.reload(lambda data: data["policies"]["me"].update(root="/two"))
        listed = {one.href for one in client.propfind(depth=1, check=207).resources}
        assert listed == {"/me/", "/me/both.txt", "/me/only%20in%20two.txt"}
        client.get("only%20in%20one.txt", check=404)
        assert client.get("both.txt", check=200).body == b"two"
        client.put("both.txt", b"changed", check=204)
        client.get("._both.txt", check=404)
        served.reload(lambda data: data["policies"]["me"].update(root="/one"))
        client.put("both.txt", b"changed", check=423)
        assert client.get("._both.txt", check=200).body == b"junk"
        found = client.propfind("only%20in%20one.txt", body="<x:colour/>", check=207).one.found
        assert found == {"{urn:x}colour": "red"}


def test_the_status_page_tells_of_the_new_tree(served: Served) -> None:
    """At once, though what it knows of a drive is good for a while."""
    served.emulator.drive("business").mkdir("/elsewhere")
    served.reload(lambda data: data["users"]["alice"].update(admin=True))
    browser = Browser(served.base)
    browser.log_in()
    assert "root /elsewhere" not in browser.get("").text
    served.reload(lambda data: data["policies"]["me"].update(root="/elsewhere"))
    assert "root /elsewhere" in browser.get("").text


def test_locks_and_rows_of_the_same_tree_stay(served: Served) -> None:
    """A policy that is not changed, or only in its rights, keeps its locks, and its mirror needs no call."""
    with closing(served.dav()) as client:
        client.put("a.txt", b"x", check=201)
        client.lock("a.txt", check=200)
        eventually(lambda: served.running.bridge.drivers["me"].report().live, 20)
        client.propfind(depth=1, check=207)
        served.reload(lambda data: data["policies"]["me"]["access"].update(bob="read"))
        with served.emulator.calls.counting() as calls:
            client.propfind(depth=1, check=207)
            client.put("a.txt", b"y", check=423)
        assert not asked(calls)
        assert ask(served, "me", "bob", "hidden") == 207


def test_a_new_client_secret(served: Served) -> None:
    """It is read; nobody has to sign in, and the wrong one before it is not believed any longer than it was there."""
    secret = Path(served.data["accounts"]["contoso"]["client_secret"]["file"])
    world = served.emulator.world
    before = world.client_secret
    with closing(served.dav()) as client:
        client.propfind(check=207)
        try:
            world.client_secret = "another"
            for token in world.tokens.values():
                token.good = False
            client.put("a.txt", b"x", check=503)
            secret.write_text("another")
            served.reload()
            client.put("a.txt", b"x", check=201)
        finally:
            world.client_secret = before


def test_a_renewed_certificate(emulator: Emulator, tmp_path: Path) -> None:
    """New connections see it; one that is open goes on; and what is no certificate changes nothing."""
    authority = trustme.CA()

    def issue(name: str) -> dict[str, str]:
        made = authority.issue_cert("127.0.0.1", name)
        chain, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        return {"certificate": str(chain), "key": str(key)}

    context = ssl.create_default_context()
    authority.configure_trust(context)

    def names() -> set[str]:
        host, _, port = served.base.removeprefix("https://").rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=10, context=context)
        with closing(connection):
            connection.connect()
            shown = connection.sock.getpeercert()
        return {value for kind, value in shown["subjectAltName"] if kind == "DNS"}

    with serving(emulator, tmp_path, tls=issue("old.example")) as served:
        assert names() == {"old.example"}
        with closing(served.dav(context=context)) as client:
            client.propfind(check=207)
            served.reload(lambda data: data["server"].update(tls=issue("new.example")))
            assert names() == {"new.example"}
            client.propfind(check=207)
        Path(served.data["server"]["tls"]["certificate"]).write_text("nothing")
        with pytest.raises(ConfigError, match=r"server\.tls"):
            served.reload()
        assert names() == {"new.example"}


def test_what_cannot_be_used_changes_nothing(served: Served) -> None:
    """A site that is not there is found out before the switch: nobody notices, and the reason is told."""
    before = served.running.bridge
    with pytest.raises(ConfigError, match=r"policy team: .*nowhere"):
        served.reload(lambda data: data["policies"]["team"].update(site="https://contoso.sharepoint.com/sites/nowhere"))
    assert served.running.bridge is before
    assert ask(served, "team") == 207


def test_what_was_broken_before_is_no_reason(served: Served) -> None:
    """A policy whose root has gone keeps nobody from mending another thing; changed, it has to lead somewhere."""
    served.data["policies"]["me"]["root"] = "/gone"
    served.running.prepare(Config.model_validate(served.data), probes=False)
    served.running.switch()
    served.reload(lambda data: data["policies"]["team"]["access"].update(bob="write"))
    with pytest.raises(ConfigError, match="policy me: "):
        served.reload(lambda data: data["policies"]["me"].update(root="/gone/too"))
    assert ask(served, "team", "bob", "hidden") == 207


def test_what_wants_a_restart_stays(served: Served) -> None:
    """Addresses, workers and the state folder are told and left as they were; the rest is taken."""

    def all_at_once(data: dict) -> None:
        data["server"] = {"listen": "127.0.0.1:1", "workers": 3, "metrics": "127.0.0.1:2", "infinite_depth": 7}
        data["state"] = {"directory": "/nowhere"}

    taken = served.reload(all_at_once)
    assert set(taken.left) == {"server.listen", "server.workers", "server.metrics", "state.directory"}
    assert "Not without a restart: server.listen" in taken.sentence
    assert taken.taken == ("server.infinite_depth changed",)
    only = served.reload(lambda data: data["server"].update(listen="127.0.0.1:1"))
    assert "Not without a restart: server.listen" in only.sentence
    assert "nothing has changed" not in only.sentence
    assert ask(served) == 207


def test_a_bridge_that_ends_takes_no_other(served: Served) -> None:
    """A reload that comes while requests are drained is refused, also one that is half done."""
    served.running.prepare(Config.model_validate(served.data), probes=False)
    before = served.running.bridge
    served.running.stay()
    served.running.switch()
    assert served.running.bridge is before
    with pytest.raises(Exception, match="about to end"):
        served.reload()


def test_ten_reloads_leave_nothing_open(emulator: Emulator, tmp_path: Path) -> None:
    """Of the state and mirror files, each thread has its own connections and no more, and no thread is left over."""

    def counts() -> tuple[int, list[str]]:
        links = []
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # it may have been closed since
                links.append(os.readlink(link))
        names = [thread.name for thread in threading.enumerate()]
        ours = sorted(name for name in names if name in ("poller", "push channel", "retiring"))
        return sum(link.startswith(str(tmp_path)) for link in links), ours

    with serving(emulator, tmp_path, threads=2) as served:
        emulator.drive("business").mkdir("/sub")

        def once(number: int) -> None:
            # another root each time, so that nothing is taken over
            served.reload(lambda data: data["policies"]["me"].update(root="/sub" if number % 2 else "/"))
            for mount in ("me", "team") * 4:
                with closing(served.dav(mount)) as client:
                    client.put("a.txt", b"x", check=(201, 204))
                    client.propfind(depth=1, check=207)
            eventually(lambda: counts()[1] == ["poller", "poller", "push channel", "push channel"], 20)

        for number in range(4):
            once(number)
        files = counts()[0]
        for number in range(10):
            once(number)
        # a leak shows ten times; a thread that comes to a file late opens it, its journal and their shared memory
        eventually(lambda: counts()[0] < files + 10, 20)
