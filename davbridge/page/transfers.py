"""Transfers under way, of all workers: counted in memory as the bytes pass, told once a second by those that last.

Small transfers are not followed at all, and of the others none waits for anything here.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from davbridge.clock import Clock
from davbridge.page.beat import STALE_SECONDS, Beat
from davbridge.store.database import Database

SMALLEST = 2**20
"""Bytes from which a transfer is followed; one whose length is not known is, too."""
_QUICK_SECONDS = 1.0


@dataclass
class _Transfer:
    number: int
    environ: dict[str, Any]
    upload: bool
    total: int | None
    since: float
    done: int = 0
    told: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Shown:
    """A transfer as the page has it: `path` as people write it; bytes, bytes a second, POSIX seconds."""

    user: str
    upload: bool
    path: str
    done: int
    total: int | None
    rate: float
    since: float


class Transfers:
    """Those of this process, and a look at those of all."""

    def __init__(self, database: Database, clock: Clock, beat: Beat) -> None:
        self._database = database
        self._clock = clock
        self._beat = beat
        self._process = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._running: dict[int, _Transfer] = {}
        self._told: set[int] = set()
        self._ticked = 0.0
        beat.add([self.tick])

    @contextmanager
    def upload(self, environ: dict[str, Any]) -> Iterator[None]:
        """Count what the block reads of the request's body, if it is large."""
        length = str(environ.get("CONTENT_LENGTH") or "")
        total = int(length) if length.isdigit() and len(length) < 19 else None
        if (total or 0) < SMALLEST and not (total is None and environ.get("wsgi.input_terminated")):
            yield
            return
        transfer = self._begin(environ, total, upload=True)
        source = environ["wsgi.input"]
        environ["wsgi.input"] = _Counted(source, transfer)
        try:
            yield
        finally:
            environ["wsgi.input"] = source
            self._end(transfer)

    def download(self, environ: dict[str, Any], headers: Iterable[tuple[str, str]], body: Any) -> Any:
        """The body of an answer, counted as it goes out, if it is large."""
        length = next((value for name, value in headers if name.lower() == "content-length"), "")
        if not length.isdigit() or int(length) < SMALLEST:
            return body
        return _Following(body, self._begin(environ, int(length), upload=False), self)

    def _begin(self, environ: dict[str, Any], total: int | None, *, upload: bool) -> _Transfer:
        transfer = _Transfer(next(self._numbers), environ, upload, total, self._clock.now().timestamp())
        with self._lock:
            self._running[transfer.number] = transfer
        self._beat.wake()
        return transfer

    def _end(self, transfer: _Transfer) -> None:
        with self._lock:
            self._running.pop(transfer.number, None)

    def tick(self) -> bool:
        """Tell of what has lasted, and take back what has ended. Raises what `Database` raises."""
        now = self._clock.now().timestamp()
        with self._lock:
            running = dict(self._running)
        seconds, self._ticked = now - self._ticked, now
        for transfer in running.values():
            done, fresh = transfer.done, transfer.told == 0
            passed = now - transfer.since if fresh else seconds
            rate = (done - transfer.told) / max(passed, 0.001)
            transfer.rate, transfer.told = rate if fresh else (transfer.rate + rate) / 2, done
        lasting = {number: one for number, one in running.items() if now - one.since >= _QUICK_SECONDS}
        ended = self._told - set(lasting)
        if lasting or ended:
            self._write(lasting, ended, now)
        self._told = set(lasting)
        return bool(running)

    def _write(self, lasting: dict[int, _Transfer], ended: set[int], now: float) -> None:
        rows = [
            (
                *(self._process, number, now, one.environ.get("davbridge.user", ""), one.upload, _path(one.environ)),
                *(one.done, one.total, one.rate, one.since),
            )
            for number, one in lasting.items()
        ]
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM transfers WHERE beat < ?", (now - STALE_SECONDS,))
            transaction.executemany(
                "DELETE FROM transfers WHERE process = ? AND number = ?", [(self._process, number) for number in ended]
            )
            transaction.executemany("INSERT OR REPLACE INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def list(self) -> list[Shown]:
        """Those of all workers, the oldest first."""
        rows = self._database.read(
            "SELECT user, upload, path, done, total, rate, since FROM transfers WHERE beat >= ? ORDER BY since",
            (self._clock.now().timestamp() - STALE_SECONDS,),
        )
        return [Shown(user, bool(upload), *others) for user, upload, *others in rows]


class _Counted:
    """A request's body that says how far it was read."""

    def __init__(self, source: Any, transfer: _Transfer) -> None:
        self._source = source
        self._transfer = transfer

    def read(self, *size: Any) -> bytes:
        block: bytes = self._source.read(*size)
        self._transfer.done += len(block)
        return block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Following:
    """An answer's body that says how much of it has gone out; the server closes it however it ends."""

    def __init__(self, body: Any, transfer: _Transfer, transfers: Transfers) -> None:
        self._body = body
        self._transfer = transfer
        self._transfers = transfers

    def __iter__(self) -> Iterator[bytes]:
        transfer = self._transfer
        for block in self._body:
            yield block
            transfer.done += len(block)  # … once the server has come for the next one

    def close(self) -> None:
        self._transfers._end(self._transfer)
        if hasattr(self._body, "close"):
            self._body.close()


def _path(environ: dict[str, Any]) -> str:
    raw = str(environ.get("REQUEST_URI", "")).partition("?")[0]
    return unquote(raw, errors="replace")[:1000]
