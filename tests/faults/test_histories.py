"""Several clients at once on a handful of paths, through two worker processes: each path's history has an order.

What each operation has begun, ended and answered is written down; then `tests.support.linearizable` looks for an order
that explains it all. `DAVBRIDGE_OPERATIONS` sets how many each client does; the checks take few, so as to be quick.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from davbridge.emulator.faults import Html, LoseAnswer, Reset, WorkThen
from tests.support.dav import Answer, Dav
from tests.support.linearizable import ABSENT, History, Operation, Value
from tests.support.world import MOUNTS, World

OPERATIONS = int(os.environ.get("DAVBRIDGE_OPERATIONS", "0"))
FEW = {False: 10, True: 10}
"""Without faults and with them, where the bridge's pauses are real ones."""
SEED = int(os.environ.get("DAVBRIDGE_SEED", "0")) or random.randrange(1, 10**6)
CLIENTS = 6
PATHS = ("one", "two", "Three.docx")
WAITING = 6
_FAULTS = (Reset(), LoseAnswer(), WorkThen(504), Html(500))
_CALLS = ("put content", "put fragment", "create session", "update item", "delete item", "get item", "download")


def content_of(value: Value) -> bytes:
    """The bytes that a value stands for: they tell it in every part, and its size."""
    size = int(str(value).rpartition("/")[2])
    word = f"{value};".encode()
    return (word * (size // len(word) + 1))[:size]


def value_of(data: bytes) -> Value:
    """The value that is stored; torn or mixed bytes are a value that nobody has written."""
    value = data.partition(b";")[0].decode(errors="replace")
    return value if value.rpartition("/")[2].isdigit() and content_of(value) == data else f"torn: {data[:60]!r}"


class Client:
    """One client on a connection of its own, with a random will."""

    def __init__(self, name: str, dav: Dav, history: History, draw: random.Random, faults: bool = False) -> None:
        self.name = name
        self.dav = dav
        self.history = history
        self.draw = draw
        self.faults = faults
        self.count = 0
        self.broken = 0

    def work(self, operations: int) -> None:
        """Do so many operations."""
        acts = (
            self.put,
            self.put,
            self.get,
            self.get,
            self.get,
            self.part,
            self.part,
            self.delete,
            self.save,
            self.take,
        )
        for _ in range(operations):
            self.draw.choice(acts)(self.draw.choice(PATHS))

    def value(self) -> str:
        """One that nobody has written yet."""
        self.count += 1
        size = self.draw.choice([60, 60, 3000, 3000, 300_000, 5_000_000 if self.draw.random() < 0.3 else 20_000])
        return f"{self.name}.{self.count}/{size}"

    def ask(self, method: str, path: str, **more: object) -> tuple[Answer | None, float, float]:
        """An answer, or None where there was none, and when."""
        with self.history.timed() as times:
            try:
                answer = self.dav.request(method, path, **more)  # type: ignore[arg-type]
            except (OSError, http.client.HTTPException):
                answer = None
                self.broken += 1
        assert answer is None or answer.status != 500, answer
        return answer, times[0], times[1]

    def note(self, path: str, operation: Operation) -> None:
        """Write it down."""
        self.history.add(path, operation)

    def put(self, path: str) -> None:
        """A PUT that is acknowledged is done; of any other, nobody knows."""
        value = self.value()
        headers = {"X-OC-Mtime": "1700000000"} if self.draw.random() < 0.3 else {}
        answer, begin, end = self.ask("PUT", path, body=content_of(value), headers=headers)
        certain = answer is not None and answer.status in (201, 204)
        self.note(path, Operation("write", value, begin, end, certain, who=self.name))

    def get(self, path: str) -> None:
        """What is there, or that nothing is."""
        answer, begin, end = self.ask("GET", path)
        if answer is not None and answer.status in (200, 404):
            value = value_of(answer.body) if answer.status == 200 else ABSENT
            self.note(path, Operation("read", value, begin, end, who=self.name))

    def part(self, path: str) -> None:
        """A part of what is there, which tells what it is a part of; 416 tells that it is shorter."""
        start = self.draw.choice([0, 30, 1000, 200_000])
        stop = start + self.draw.choice([50, 3000, 100_000])
        answer, begin, end = self.ask("GET", path, headers={"Range": f"bytes={start}-{stop - 1}"})
        if answer is None or answer.status not in (206, 404, 416):
            return
        if answer.status == 404:
            self.note(path, Operation("read", ABSENT, begin, end, who=self.name))
            return
        told = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", answer.header("Content-Range"))
        assert told, answer.header("Content-Range")
        total, data = int(told[3]), answer.body if answer.status == 206 else b""
        assert not data or (int(told[1]), int(told[2])) == (start, start + len(data) - 1), told[0]

        def sees(value: Value) -> bool:
            # less than was asked for may come (RFC 9110 §15.3.7): when the content grew after it was looked up
            content = content_of(value) if value is not ABSENT else b""
            return len(content) == total and content[start : start + len(data)] == data

        seen = f"{told[0]}: {data[:40]!r}"
        self.note(path, Operation("part", seen, begin, end, sees=sees, who=self.name))

    def delete(self, path: str) -> None:
        """204 has found something."""
        answer, begin, end = self.ask("DELETE", path)
        self.gone(path, answer, begin, end)

    def gone(self, path: str, answer: Answer | None, begin: float, end: float) -> None:
        """A deletion: certain, found nothing, or unknown.

        With faults, 204 says that there is nothing now: a second try after a lost answer does not tell what was.
        """
        if answer is not None and answer.status == 404:
            self.note(path, Operation("read", ABSENT, begin, end, who=self.name))
        elif answer is not None and answer.status == 204:
            needs = None if self.faults else "something"
            self.note(path, Operation("write", ABSENT, begin, end, needs=needs, who=self.name))
        else:
            self.note(path, Operation("write", ABSENT, begin, end, certain=False, who=self.name))

    def save(self, path: str) -> None:
        """As editors do: a temporary file, moved onto the original."""
        value, temporary = self.value(), f"{self.name}.tmp"
        written = self.ask("PUT", temporary, body=content_of(value))[0]
        if written is None or written.status not in (201, 204):
            return
        answer, begin, end = self.ask("MOVE", temporary, headers={"Destination": self.dav.url(path)})
        certain = answer is not None and answer.status in (201, 204)
        self.note(path, Operation("write", value, begin, end, certain, who=self.name))

    def take(self, path: str) -> None:
        """Moved to where only this client looks: what was moved tells what was there."""
        mine = f"{self.name}.{self.count}.mine"
        self.count += 1
        answer, begin, end = self.ask("MOVE", path, headers={"Destination": self.dav.url(mine)})
        if answer is None or answer.status != 201:
            self.gone(path, answer, begin, end)
            return
        found = self.ask("GET", mine)[0]
        if found is not None and found.status == 200:
            self.note(path, Operation("take", value_of(found.body), begin, end, who=self.name))
        else:
            assert found is None or found.status != 404, "moved, and not there"
            self.note(path, Operation("write", ABSENT, begin, end, needs="something", who=self.name))


def trouble(world: World, draw: random.Random, stop: threading.Event) -> None:
    """Something fails every now and then. Not more than a few wait for their call: else those that are made seldom
    fail six times in a row, are tried again with pauses that double, and meanwhile more faults gather.
    """
    while not stop.wait(draw.random() * 0.3):
        if world.emulator.faults.pending >= WAITING:
            world.emulator.faults.clear()
        world.emulator.faults.add(draw.choice(_CALLS), draw.choice(_FAULTS))


@pytest.mark.timeout(240 + OPERATIONS * 5)
@pytest.mark.parametrize("faults", [False, True], ids=["well", "with faults"])
def test_each_path_has_an_order(world: World, workers: str, mount: str, faults: bool) -> None:
    """No read is stale, torn, or of a value that was overwritten before it began, whichever worker answers."""
    history = History()
    davs = [world.dav(mount, base=workers) for _ in range(CLIENTS)]
    clients = [Client(f"c{n}", dav, history, random.Random(SEED + n), faults) for n, dav in enumerate(davs)]
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        if faults:
            pool.submit(trouble, world, random.Random(SEED), stop)
        try:
            for done in [pool.submit(client.work, OPERATIONS or FEW[faults]) for client in clients]:
                done.result()
        finally:
            stop.set()
            for dav in davs:
                dav.close()
    world.emulator.faults.clear()
    for path in PATHS:
        with closing(world.dav(mount, base=workers)) as dav:
            Client("last", dav, history, random.Random(SEED)).get(path)
    drive = world.emulator.drive(MOUNTS[mount])
    for path in PATHS:
        seen = history.operations[path][-1].value
        assert seen == (value_of(drive.read(f"/{path}")) if drive.exists(f"/{path}") else ABSENT)
    unknown = sum(not one.certain for operations in history.operations.values() for one in operations)
    total = sum(map(len, history.operations.values()))
    print(f"seed {SEED}: {total} operations, {unknown} unknown, {sum(client.broken for client in clients)} broken")
    unexplained = history.unexplained()
    assert not unexplained, f"seed {SEED}\n" + "\n\n".join(unexplained.values())
