"""Servers that are killed at named points while they write, one after the other over the same state folder."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from davbridge import killpoint
from davbridge.emulator import Emulator
from tests.support.dav import Dav
from tests.support.serving import Serving, write_configuration
from tests.support.world import MOUNTS, eventually

State = dict[str, bytes]
SESSION_SECONDS = 900


@dataclass(frozen=True)
class Job:
    """One write below a folder of its own, in a server that dies at `point`. Files by their paths below the folder.

    Bodies are made when they are asked for: hundreds of jobs are planned at a time.
    """

    number: int
    mount: str
    method: str
    point: str
    pass_: int
    before: State
    changed: State
    """What is there after it, without the body."""
    size: int = 0
    seed: int = 0
    chunked: bool = False

    @property
    def body(self) -> bytes:
        """The same bytes each time."""
        return random.Random(self.seed).randbytes(self.size)

    @property
    def after(self) -> State:
        return {**self.changed, "file.bin": self.body} if self.size else self.changed

    @property
    def between(self) -> list[State]:
        """What a client may find besides, that asked for a safe-save: one of the names or both have the new bytes."""
        if self.method != "SAVE":
            return []
        return [{**state, "file.tmp": self.body} for state in (self.before, self.after)]

    @property
    def folder(self) -> str:
        return f"job{self.number:03}"

    @property
    def leaves_an_orphan(self) -> bool:
        """Nobody but the service knows of the session yet: it expires by itself."""
        return self.point == "session opened"

    def run(self, dav: Dav) -> bool:
        """Do it; whether it was acknowledged."""
        try:
            if self.method == "PUT":
                body = iter([self.body]) if self.chunked else self.body
                status = dav.put(f"{self.folder}/file.bin", body).status
            elif self.method == "SAVE":
                first = dav.put(f"{self.folder}/file.tmp", self.body).status
                assert first == 201, f"the temporary file was not taken: {first}"
                status = dav.move(f"{self.folder}/file.tmp", f"{self.folder}/file.bin").status
            else:
                work = dav.move if self.method == "MOVE" else dav.copy
                status = work(f"{self.folder}/source", f"{self.folder}/target").status
        except (OSError, http.client.HTTPException):
            return False
        return status in (201, 204)


def jobs(seed: int, count: int) -> list[Job]:
    """The first ones hit every point once on each kind of drive; the others are drawn."""
    draw = random.Random(seed)
    points = [("PUT", point) for point in (*killpoint.UPLOAD, *killpoint.CONTENT)]
    points += [(method, point) for method in ("MOVE", "COPY") for point in killpoint.REPLACING]
    points += [("SAVE", point) for point in (*killpoint.SAVING, "session journaled")]
    every = [(method, point, mount) for mount in MOUNTS for method, point in points]
    drawn = [(*draw.choice(points), draw.choice(list(MOUNTS))) for _ in range(max(0, count - len(every)))]
    return [_job(draw, number, *which) for number, which in enumerate((*every, *drawn))]


def _job(draw: random.Random, number: int, method: str, point: str, mount: str) -> Job:
    old, new, seed = draw.randbytes(3000), draw.randbytes(4000), draw.getrandbits(32)
    if method == "PUT":
        passes = {"fragment sent": draw.choice([1, 2]), "part sent": draw.randint(1, 60)}
        size = 2000 if point in killpoint.CONTENT else draw.choice([5_000_000, 12_000_000, 24_000_000])
        size = 24_000_000 if point in passes else size
        before = {"file.bin": old} if draw.random() < 0.5 else {"other": b"x"}
        chunked = point == "spool filled" or draw.random() < 0.1
        return Job(number, mount, method, point, passes.get(point, 1), before, before, size, seed, chunked)
    if method == "SAVE":
        return Job(number, mount, method, point, 1, {"file.bin": old}, {}, 4000, seed)
    source = {"source/a": new, "source/deep/b": old}
    before = {**source, "target/a": old, "target/c": new}
    moved = {path.replace("source", "target"): content for path, content in source.items()}
    return Job(number, mount, method, point, 1, before, moved if method == "MOVE" else {**source, **moved})


@dataclass
class Killing:
    """The emulator, one state folder, and what has been found."""

    emulator: Emulator
    folder: Path
    killed: int = 0
    survived: int = 0
    slowest: float = 0.0
    acknowledged: list[Job] = field(default_factory=list)

    def prepare(self, jobs: list[Job]) -> None:
        """Put what each job begins with on the drives: before any server knows of them."""
        for job in jobs:
            for path, content in job.before.items():
                self.emulator.drive(MOUNTS[job.mount]).put(f"/{job.folder}/{path}", content)

    @contextmanager
    def server(self, job: Job | None) -> Iterator[Serving]:
        """A server that will die where the job says."""
        environment = {**os.environ, "DAVBRIDGE_KILL_AT": f"{job.point}#{job.pass_}" if job else ""}
        config = self.folder / "config.yaml"
        if not config.exists():
            config = write_configuration(self.emulator, self.folder, listen="127.0.0.1:0", workers=1)
        log_file = self.folder / "log"
        command = [sys.executable, "-m", "tests.faults.killed", "serve", "--config", str(config)]
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, stderr=log, env=environment, start_new_session=True)
        running = Serving(process, log_file)
        try:
            eventually(lambda: running.address or process.poll() is not None, 60)
            yield running
        finally:
            process.kill()
            process.wait()

    def strike(self, server: Serving, job: Job) -> None:
        """Let the server die at the job."""
        with closing(server.dav(job.mount)) as dav:
            done = job.run(dav)
        if done:
            self.acknowledged.append(job)
        try:
            status = server.process.wait(0 if done else 10)
        except subprocess.TimeoutExpired:
            self.survived += 1  # the point was not passed
            server.process.kill()
            server.process.wait()
            return
        assert status == -signal.SIGKILL, f"{job.point}: it ended with {status}: {server.log[-3000:]}"
        self.killed += 1

    def check(self, server: Serving, job: Job) -> None:
        """All is as it was before the job, or as it is after it; and the bridge shows it so."""
        begun = time.monotonic()
        drive = self.emulator.drive(MOUNTS[job.mount])
        if job.leaves_an_orphan and drive.open_sessions:
            self.emulator.clock.advance(SESSION_SECONDS + 1)
            self.emulator.world.expire()
        done = job in self.acknowledged
        wanted = [job.after] if done else [job.before, job.after, *job.between]

        def is_right() -> bool:
            return drive.open_sessions == 0 and self.state(job) in wanted

        try:
            eventually(is_right, 60)
        except AssertionError:
            found = {path: len(content) for path, content in self.state(job).items()}
            raise AssertionError(f"{job.method} at {job.point!r}: {found}, {drive.open_sessions} sessions") from None
        self.slowest = max(self.slowest, time.monotonic() - begun)
        with closing(server.dav(job.mount)) as dav:
            for path, content in self.state(job).items():
                # nobody was told of it: it may show as late as what others have changed
                eventually(lambda path=path, content=content: dav.get(f"{job.folder}/{path}").body == content, 30)

    def state(self, job: Job) -> State:
        """The files in the job's folder, as Microsoft has them."""
        drive = self.emulator.drive(MOUNTS[job.mount]).drive
        with drive.lock:
            top = self.emulator.drive(MOUNTS[job.mount]).item(f"/{job.folder}")
            depth = len(drive.path_of(top))
            files = [item for item in drive.below(top) if item.blob is not None]
            return {"/".join(drive.path_of(item)[depth:]): item.blob.bytes() for item in files if item.blob}
