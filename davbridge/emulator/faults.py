"""The fault script: what goes wrong on purpose, and when.

`faults.add("put fragment", Reset(after=100_000), nth=3)`: the third fragment's connection is reset after 100 kB.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, cast, get_args

from davbridge.emulator.calls import Operation
from davbridge.emulator.httpd import Drop, Request, Response
from davbridge.emulator.refusal import Refused

OPERATIONS = ("*", *(name for name in get_args(Operation) if name != "unknown"))
"""What a fault can be planned for."""


class Action:
    """What a fault does. `run` performs the request, or not, and answers, or not."""

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        raise NotImplementedError


@dataclass(frozen=True)
class Status(Action):
    """Answer an error instead of doing the work; the request's body is read and forgotten."""

    status: int
    retry_after: float | None = None
    code: str = "serviceNotAvailable"
    body: bytes | None = None

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        request.discard()
        headers = {"Content-Type": "application/json", "request-id": str(uuid.uuid4())}
        if self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        body = (
            self.body if self.body is not None else f'{{"error":{{"code":"{self.code}","message":"fault"}}}}'.encode()
        )
        return Response(self.status, headers, body)


@dataclass(frozen=True)
class Aadsts(Action):
    """Refuse at a sign-in endpoint, with one of Entra's codes (§10.6)."""

    code: int
    error: str = "invalid_grant"
    claims: str = ""

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        request.discard()
        return Refused(self.error, self.code, "planned", claims=self.claims).response()


@dataclass(frozen=True)
class Html(Action):
    """A gateway's HTML page instead of JSON (§12.8)."""

    status: int = 503

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        request.discard()
        page = b"<html><head><title>Service Unavailable</title></head><body>Service Unavailable</body></html>"
        return Response(self.status, {"Content-Type": "text/html"}, page)


@dataclass(frozen=True)
class Reset(Action):
    """Reset the connection after `after` bytes of the request's body, or, for answers with a body, of the answer's."""

    after: int = 0

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        if request.length:
            request.read(min(self.after, request.length))
            raise Drop
        response = run()
        return replace(response, cut=self.after, reset=True)


@dataclass(frozen=True)
class Truncate(Action):
    """End the answer's connection cleanly after `after` bytes of its body."""

    after: int = 0

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        return replace(run(), cut=self.after, reset=False)


@dataclass(frozen=True)
class LoseAnswer(Action):
    """Do the work, then reset the connection instead of answering."""

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        run()
        raise Drop


@dataclass(frozen=True)
class WorkThen(Action):
    """Do the work, then answer an error: a 504 that hides a success (§7.2)."""

    status: int = 504

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        run()
        return Response(
            self.status, {"Content-Type": "application/json"}, b'{"error":{"code":"UnknownError","message":""}}'
        )


@dataclass(frozen=True)
class Garble(Action):
    """Take another first byte than was sent, and say nothing of it."""

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        request.reader = cast(BinaryIO, _Garbled(cast(BinaryIO, request.reader)))
        return run()


class _Garbled:
    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self._first = True

    def read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if self._first and data:
            data = bytes([data[0] ^ 1]) + data[1:]
            self._first = False
        return data


@dataclass(frozen=True)
class Delay(Action):
    """Answer late."""

    seconds: float

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        time.sleep(self.seconds)
        return run()


ACTIONS: dict[str, type[Action]] = {
    "status": Status,
    "aadsts": Aadsts,
    "html": Html,
    "reset": Reset,
    "truncate": Truncate,
    "lose answer": LoseAnswer,
    "work then": WorkThen,
    "delay": Delay,
    "garble": Garble,
}
"""By the names that other processes use."""


@dataclass
class _Planned:
    operation: str
    action: Action
    skip: int
    times: int


class FaultScript:
    """Faults that wait for their moment; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []

    def add(self, operation: str, action: Action, *, nth: int = 1, times: int = 1) -> None:
        """Let `action` hit the `nth` call of `operation` from now on, and the `times - 1` calls after it.

        `*` means any Graph call. Raises ValueError for an operation that there is not: its fault would never come true.
        """
        if operation not in OPERATIONS:
            raise ValueError(f"there is no operation {operation!r}: {', '.join(OPERATIONS)}")
        with self._lock:
            self._planned.append(_Planned(operation, action, nth - 1, times))

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    @property
    def pending(self) -> int:
        """Faults that have not come true yet; a test that ends with some has tested nothing."""
        with self._lock:
            return len(self._planned)

    def take(self, operation: str, *, graph: bool = False) -> Action | None:
        """The fault for this call, if any; `graph` says that it is one that `*` means."""
        names = (operation, "*") if graph else (operation,)
        with self._lock:
            due = None
            for planned in [one for one in self._planned if one.operation in names]:
                planned.skip -= 1
                if planned.skip < 0 and due is None:
                    due = planned
            if due is None:
                return None
            due.times -= 1
            if due.times <= 0:
                self._planned.remove(due)
            return due.action
