"""Two clients, faults of Microsoft's and ends of the bridge, beside the oracle: the laws hold whatever comes together.

After each operation the drive is looked at from the inside: what was acknowledged is there, whole; what was not is
done or not done, whole; and what the bridge then shows is what is there. `DAVBRIDGE_EXAMPLES` sets how many sequences
are tried; the checks take few, so as to be quick.
"""

from __future__ import annotations

import http.client
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from davbridge.clock import SystemClock
from davbridge.config.model import Config
from davbridge.drivers.memory import MemoryDriver
from davbridge.emulator import Emulator
from davbridge.emulator.copies import settle_copies
from davbridge.emulator.faults import Action, Html, LoseAnswer, Reset, Status, WorkThen
from davbridge.emulator.httpd import Request, Response
from davbridge.errors import BridgeError
from davbridge.mirror.folder import FENCE_SECONDS
from davbridge.paths import DavPath
from davbridge.store.journal import SetAside
from tests.contract.places import body, tree
from tests.faults.killing import SESSION_SECONDS
from tests.faults.lives import KillAt, Life, cheap_configuration
from tests.support.dav import Answer, Dav
from tests.support.world import MOUNTS, USERS

EXAMPLES = int(os.environ.get("DAVBRIDGE_EXAMPLES", "6"))
STEPS = 25
PROMOTED = b"<docProps>promoted</docProps>"
ASIDE = "davbridge-replaced-"

Key = tuple[str, ...]
Files = dict[Key, bytes | None]
"""Folded paths and contents; None for folders."""

_NAMES = st.sampled_from(["a", "A", "b.docx", "é", "c d#"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: DavPath(tuple(names)))
_WHO = st.sampled_from(list(USERS))
_SMALL = st.binary(min_size=1, max_size=40).filter(lambda data: PROMOTED not in data)
"""Without what is left out of each comparison: Hypothesis tries the constants that it finds in a program, too."""
_LARGE = st.integers(0, 255)
_DATA = st.one_of(_SMALL, _SMALL, _SMALL, _SMALL, _LARGE)
"""What `_content` makes a body of. Hypothesis keeps all that it has ever drawn: let no megabytes be among it."""
_WRITES = ["put content", "create session", "put fragment", "update item", "delete item", "create folder", "copy item"]
_READS = ["get item", "list children", "get session", "delete session", "monitor", "download", "batch"]
_CALLS = st.sampled_from([*_WRITES, *_WRITES, *_READS])


def _content(drawn: bytes | int) -> bytes:
    """A small body as it was drawn, a large one that is more than a request takes of this byte."""
    return drawn if isinstance(drawn, bytes) else bytes([drawn]) * 6_000_000


@dataclass(frozen=True)
class Vanish(Action):
    """All upload sessions are gone before the call is answered."""

    emulator: Emulator

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        for token in list(self.emulator.world.sessions):
            self.emulator.world.end_session(token)
        return run()


@dataclass(frozen=True)
class Noted(Action):
    """A fault that says that it came true."""

    action: Action
    noted: Callable[[], None]

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        self.noted()
        return self.action.apply(request, run)


@dataclass(frozen=True)
class Held:
    """A DAV lock."""

    path: DavPath
    who: str
    token: str


class Laws(RuleBasedStateMachine):
    """`emulator`, `config` and `mount` are set by the test."""

    emulator: Emulator
    config: Config
    mount: str

    @initialize(
        placeholder=st.booleans(), rewrite=st.booleans(), lag=st.sampled_from([0, 0, 1]), resource=st.booleans()
    )
    def start(self, placeholder: bool, rewrite: bool, lag: int, resource: bool) -> None:
        """An empty drive with some of its quirks, and a new bridge."""
        self.emulator.reset()
        quirks = self.emulator.quirks
        quirks.session_placeholder, quirks.office_rewrite, quirks.copy_without_resource = placeholder, rewrite, resource
        quirks.listing_lag = quirks.lookup_lag = lag
        quirks.copy_seconds = 0
        self.folder = tempfile.TemporaryDirectory(prefix="davbridge-laws-")
        self.life = Life(self.config, Path(self.folder.name))
        self.drive = self.emulator.drive(MOUNTS[self.mount])
        self.clients: dict[str, Dav] = {}
        self.files: dict[str, bytes | None] = {}
        self.locks: dict[Key, Held] = {}
        self.fired = 0
        self.unheard = 0  # sessions that may be open and of which only the service knows; they expire
        self.connect()

    def connect(self) -> None:
        """New connections."""
        for client in self.clients.values():
            client.close()
        self.clients = {name: self.life.dav(self.mount, name) for name in USERS}

    # -- what is true ---------------------------------------------------------------------------------------------

    def truth(self) -> dict[str, bytes | None]:
        """The drive as it is, without what a session shows before its commit."""
        settle_copies(self.emulator.world)
        drive = self.drive.drive
        with drive.lock:
            items = [item for item in drive.below(drive.root) if item is not drive.root and not item.placeholder]
            paths = ["/" + "/".join(drive.path_of(item)) for item in items]
            return {
                path: item.blob.bytes().replace(PROMOTED, b"") if item.blob else None
                for path, item in zip(paths, items, strict=True)
            }

    def predicted(self, operation: Callable[[MemoryDriver], Any]) -> dict[str, bytes | None] | None:
        """What the oracle has after it; None when it refuses."""
        oracle = oracle_of(self.files)
        try:
            operation(oracle)
        except BridgeError:
            return None
        return tree(oracle)

    def act(
        self,
        who: str,
        operation: Callable[[MemoryDriver], Any],
        request: Callable[[Dav], Answer],
        *,
        writes: list[DavPath],
        between: Callable[[MemoryDriver], Any] | None = None,
        again: bool = False,
    ) -> None:
        """Do it, and look whether the answer is true of the drive, and the drive of one of the trees it may be.

        `between`: what may be there besides, when it failed. `again`: it is so already, and who has lost the answer
        cannot tell that from having made it so.
        """
        old, new = self.files, self.predicted(operation)
        barred = any(held.who != who and _meets(held.path, path) for held in self.locks.values() for path in writes)
        blocked = self.drive.open_sessions > 0
        fired = self.fired
        status = self.status(who, request)
        troubled = self.fired > fired
        truth = self.truth()
        assert status != 500, "an error of the bridge itself"
        if 200 <= status < 300:
            if new is None and troubled and again:
                new = old
            assert new is not None, f"{status}, where the oracle refuses"
            assert not barred, f"{status}, under another's lock"
            assert folded(truth) == folded(new), f"acknowledged with {status}, and not so"
        else:
            right = troubled or new is None or barred or (blocked and status in (409, 412, 423, 503))
            assert right or status == 503, f"{status} for nothing"
            allowed = [folded(old)]
            if troubled and new is not None and not barred:
                allowed.append(folded(new))
                half = self.predicted(between) if between else None
                allowed += [folded(half)] if half is not None else []
            if any(ASIDE in path for path in truth):
                assert troubled
                truth = self.mended(writes[-1])
            assert folded(truth) in allowed, f"{status}, and neither old nor new"
        self.files = truth
        self.revive()

    def status(self, who: str, request: Callable[[Dav], Answer]) -> int:
        """0 when there was no answer."""
        try:
            answer = request(self.clients[who])
        except (OSError, http.client.HTTPException):
            return 0
        return 0 if self.life.is_dead else answer.status

    def mended(self, target: DavPath) -> dict[str, bytes | None]:
        """What was set aside gets its name back, or goes, once somebody looks at it who can."""
        self.revive()
        assert any(isinstance(work, SetAside) for work in self.life.unsettled), f"nobody will mend {target}"
        self.emulator.faults.clear()
        assert self.life.settle(), f"it could not be mended: {self.life.unsettled}"
        return self.truth()

    def revive(self) -> None:
        """Begin again, if it was killed."""
        if self.life.is_dead:
            self.life.begin()
            self.connect()
            # nobody was told of what it did last: it may show as late as what others have changed
            self.time_goes_by()

    def time_goes_by(self) -> None:
        """As long as anything may be believed that was read or written, and as Microsoft's own views lag behind.

        What was written stands in listings that miss it while it is fenced: also when it was deleted by somebody else,
        or by a process that died before it could say so to the mirror.
        """
        self.life.clock.skip(FENCE_SECONDS + 1)
        for item in self.drive.drive.below(self.drive.drive.root):
            item.lag = item.hidden = 0

    # -- what goes wrong ------------------------------------------------------------------------------------------

    def note(self, call: str = "") -> None:
        """A fault has come true."""
        self.fired += 1
        self.unheard += call in ("create session", "batch")

    @rule(
        call=_CALLS,
        action=st.sampled_from(
            [
                Reset(),
                Reset(after=3),
                LoseAnswer(),
                LoseAnswer(),
                WorkThen(504),
                Status(503),
                Status(429, retry_after=1),
                Html(500),
            ]
        ),
        nth=st.sampled_from([1, 1, 1, 2]),
        times=st.sampled_from([1, 1, 1, 2, 6, 12]),
    )
    def fault(self, call: str, action: Action, nth: int, times: int) -> None:
        """Something will fail."""
        self.emulator.faults.add(call, Noted(action, partial(self.note, call)), nth=nth, times=times)

    @rule(call=st.sampled_from(["put fragment", "get session"]), nth=st.sampled_from([1, 2]))
    def vanish(self, call: str, nth: int) -> None:
        """A session will vanish."""
        self.emulator.faults.add(call, Noted(Vanish(self.emulator), self.note), nth=nth)

    @rule(call=_CALLS, after=st.booleans(), nth=st.sampled_from([1, 1, 2, 3]))
    def death(self, call: str, after: bool, nth: int) -> None:
        """The bridge will be killed in the middle of something."""
        self.emulator.faults.add(call, KillAt(self.life, after, partial(self.note, call)), nth=nth)

    @rule()
    def office_404(self) -> None:
        """The next session on an Office file will say that it is not there."""
        self.emulator.quirks.session_404_on_replace = True

    @rule()
    def calm(self) -> None:
        """Nothing more will fail."""
        self.emulator.faults.clear()

    @rule()
    def restart(self) -> None:
        """End in order, begin again."""
        self.life.end()
        self.life.begin()
        self.connect()

    @rule()
    def kill(self) -> None:
        """Killed while it does nothing."""
        self.life.kill()
        self.revive()

    @rule()
    def settle(self) -> None:
        """What comes with time."""
        self.life.clock.sleep(5)
        self.life.bridge.settle()
        self.revive()
        assert folded(self.truth()) == folded(self.files)

    # -- what clients do ------------------------------------------------------------------------------------------

    @rule(who=_WHO, path=_PATHS, drawn=_DATA, timed=st.booleans(), chunked=st.booleans(), if_absent=st.booleans())
    def put(self, who: str, path: DavPath, drawn: bytes | int, timed: bool, chunked: bool, if_absent: bool) -> None:
        """PUT, in one request or in a session; also of a length that nobody knows."""
        data = _content(drawn)
        headers = {"X-OC-Mtime": "1700000000"} if timed else {}
        headers |= {"If-None-Match": "*"} if if_absent else {}
        self.act(
            who,
            lambda oracle: oracle.put(path, body(data), if_absent=if_absent),
            lambda dav: dav.put(
                _url(path), iter([data]) if chunked else data, headers={**headers, **self.tokens(who, dav)}
            ),
            writes=[path],
        )

    @rule(who=_WHO, path=_PATHS, drawn=_DATA, share=st.floats(0, 0.99))
    def put_torn(self, who: str, path: DavPath, drawn: bytes | int, share: float) -> None:
        """The client goes away in the middle of its body: nothing changes."""
        data = _content(drawn)
        dav = self.clients[who]
        host, _, port = dav.host.partition(":")
        head = f"PUT {dav.path(_url(path))} HTTP/1.1\r\nHost: {dav.host}\r\nAuthorization: {dav.auth}\r\n"
        before = folded(self.truth())
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            head += f"Content-Length: {len(data)}\r\n\r\n"
            try:
                connection.sendall(head.encode() + data[: int(len(data) * share)])
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass
        assert folded(self.truth()) == before
        self.revive()

    @rule(who=_WHO, path=_PATHS)
    def make_folder(self, who: str, path: DavPath) -> None:
        """MKCOL."""
        there = folded(self.files)
        empty = there.get(path.folded, b"") is None and not any(key[:-1] == path.folded for key in there)
        self.act(
            who,
            lambda oracle: oracle.make_folder(path),
            lambda dav: dav.mkcol(_url(path)),
            writes=[path],
            again=empty,
        )

    @rule(who=_WHO, source=_PATHS, onto=_PATHS, replace=st.booleans())
    def move(self, who: str, source: DavPath, onto: DavPath, replace: bool) -> None:
        """MOVE."""
        if source.folded == onto.folded:
            return
        self.release(who, source, onto)
        self.act(
            who,
            lambda oracle: oracle.move(source, onto, replace=replace),
            lambda dav: dav.move(_url(source), _url(onto), headers={"Overwrite": "T" if replace else "F"}),
            writes=[source, onto],
            between=lambda oracle: oracle.copy(source, onto, replace=replace),
        )

    @rule(who=_WHO, source=_PATHS, onto=_PATHS, replace=st.booleans())
    def copy(self, who: str, source: DavPath, onto: DavPath, replace: bool) -> None:
        """COPY."""
        if source.folded == onto.folded:
            return
        self.release(who, onto)
        self.act(
            who,
            lambda oracle: oracle.copy(source, onto, replace=replace),
            lambda dav: dav.copy(_url(source), _url(onto), headers={"Overwrite": "T" if replace else "F"}),
            writes=[onto],
        )

    @rule(who=_WHO, path=_PATHS)
    def delete(self, who: str, path: DavPath) -> None:
        """DELETE. A second try that finds nothing does not tell whether the first one had found something."""
        self.release(who, path)
        self.act(
            who,
            lambda oracle: oracle.delete(path),
            lambda dav: dav.delete(_url(path)),
            writes=[path],
            again=path.folded not in folded(self.files),
        )

    @rule(who=_WHO, path=_PATHS)
    def lock(self, who: str, path: DavPath) -> None:
        """LOCK of a file that is there."""
        if folded(self.files).get(path.folded) is None:
            return
        fired = self.fired
        try:
            answer = self.clients[who].lock(_url(path), headers={"Timeout": "Second-86400"})
        except (OSError, http.client.HTTPException):
            answer = None
        held = self.locks.get(path.folded)
        if answer is not None and answer.status == 200 and not self.life.is_dead:
            assert held is None, "two exclusive locks"
            self.locks[path.folded] = Held(path, who, answer.token)
        elif held is None:
            assert self.fired > fired or (answer is not None and answer.status == 503), answer
        self.revive()

    @rule(who=_WHO)
    def unlock(self, who: str) -> None:
        """UNLOCK of the first of a client's own."""
        for held in list(self.locks.values()):
            if held.who == who:
                self.release(who, held.path)
                return

    def release(self, who: str, *paths: DavPath) -> None:
        """Give back a client's own locks at and below these paths."""
        for key, held in list(self.locks.items()):
            if held.who == who and any(_meets(held.path, path) for path in paths):
                self.clients[who].unlock(_url(held.path), held.token, check=204)
                del self.locks[key]

    def tokens(self, who: str, dav: Dav) -> dict[str, str]:
        """The If header that names all locks of a client."""
        mine = [held for held in self.locks.values() if held.who == who]
        if not mine:
            return {}
        return {"If": " ".join(f"<{dav.url(_url(held.path))}> (<{held.token}>)" for held in mine)}

    @rule(who=_WHO, path=_PATHS, start=st.integers(0, 50), length=st.none() | st.integers(1, 6_000_000))
    def get(self, who: str, path: DavPath, start: int, length: int | None) -> None:
        """GET, of all or of a part: what is there, or less of it and a broken connection."""
        fired = self.fired
        headers = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
        there = folded(self.files)
        try:
            answer = self.clients[who].get(_url(path), headers=headers)
        except (OSError, http.client.HTTPException):
            assert self.fired > fired, "a connection was broken for nothing"
            self.revive()
            return
        content = there.get(path.folded)
        if answer.status in (200, 206) and path.folded in there and content is not None:
            found = answer.body.replace(PROMOTED, b"")
            end = len(content) if length is None or answer.status == 200 else start + length
            wanted = content[0 if answer.status == 200 else start : end]
            if (answer.status == 206 and answer.body != found) or len(wanted) < len(answer.body):
                found = answer.body[: len(wanted)]  # a part of what SharePoint has added
            assert found == wanted, f"{answer.status}: {len(found)} bytes, {found[:40]!r}, where {wanted[:40]!r} are"
        elif self.fired == fired and answer.status != 503:
            assert answer.status >= 400 or (path.folded in there and content is None), f"{answer.status}: not there"
            assert content is None or answer.status == 416, f"{answer.status}: it is there"
        else:
            assert path.folded not in there or answer.status != 404, "404 for what is there"
        self.revive()

    @rule(who=_WHO)
    def look(self, who: str) -> None:
        """PROPFIND of everything: the names that are there, and no other."""
        fired = self.fired
        try:
            found = set(_seen(self.clients[who], f"/{self.mount}/"))
        except (OSError, http.client.HTTPException, _Refused):
            assert self.fired > fired
            self.revive()
            return
        there = set(folded(self.files))
        # what SharePoint shows of a session that is open
        drive = self.drive.drive
        shown = [item for item in drive.below(drive.root) if item.placeholder]
        assert there <= found <= there | {DavPath(tuple(drive.path_of(item))).folded for item in shown}

    @precondition(lambda self: not self.emulator.quirks.lookup_lag)
    @rule()
    def forget(self) -> None:
        """The mirror is lost."""
        for driver in self.life.bridge.drivers.values():
            driver.forget()

    def teardown(self) -> None:
        """In the end all is settled: no session is open, nothing is left over, and a new bridge shows what is there."""
        if not hasattr(self, "life"):
            return
        try:
            self.emulator.faults.clear()
            self.revive()
            assert self.life.settle(), f"left half done: {self.life.unsettled}"
            self.life.end()
            self.life.begin()
            self.connect()
            assert self.life.settle(), f"left half done: {self.life.unsettled}"
            assert folded(self.truth()) == folded(self.files)
            assert not os.listdir(Path(self.folder.name) / "spool")
            assert self.drive.open_sessions <= self.unheard, "a session was left open"
            self.emulator.clock.advance(SESSION_SECONDS + 1)
            self.emulator.world.expire()
            self.time_goes_by()
            self.look("alice")
            for name in [key for key, data in folded(self.files).items() if data is not None]:
                self.get("bob", DavPath(name), 0, None)
        finally:
            for client in self.clients.values():
                client.close()
            if not self.life.is_dead:
                self.life.end()
            self.life.bury()
            self.folder.cleanup()


class _Refused(Exception):
    """A listing was not given."""


def oracle_of(files: dict[str, bytes | None]) -> MemoryDriver:
    """The oracle with this tree."""
    oracle = MemoryDriver(SystemClock())
    for path in sorted(files, key=lambda path: path.count("/")):
        data = files[path]
        where = DavPath(tuple(path.strip("/").split("/")))
        if data is None:
            oracle.make_folder(where)
        else:
            oracle.put(where, body(data))
    return oracle


def folded(found: dict[str, bytes | None]) -> Files:
    """By folded path."""
    return {DavPath(tuple(path.strip("/").split("/"))).folded: data for path, data in found.items()}


def _meets(locked: DavPath, path: DavPath) -> bool:
    """Whether a lock on one is in the way of a write to the other."""
    return locked.folded[: len(path.folded)] == path.folded


def _url(path: DavPath) -> str:
    return path.url()[1:]


def _seen(dav: Dav, root: str, below: str = "") -> Iterator[Key]:
    answer = dav.propfind(below, depth=1)
    if answer.status != 207:
        raise _Refused(str(answer.status))
    for resource in answer.resources[1:]:
        url = resource.href.removeprefix(root)
        yield DavPath(tuple(unquote(url).strip("/").split("/"))).folded
        if url.endswith("/"):
            yield from _seen(dav, root, url)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for bridges that come and go."""
    with Emulator.start() as running:
        yield running


@pytest.mark.timeout(60 + 20 * EXAMPLES)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_laws(emulator: Emulator, mount: str, tmp_path: Path) -> None:
    """No sequence of operations, faults and ends loses an acknowledged byte or shows half of a write."""
    config = cheap_configuration(emulator, tmp_path)
    machine = type("Machine", (Laws,), {"emulator": emulator, "config": config, "mount": mount})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="DAVBRIDGE_EXAMPLES" not in os.environ,
            print_blob=True,
            phases=[Phase.generate] if EXAMPLES > 100 else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
