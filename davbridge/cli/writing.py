"""Whether a policy can be written to: a small file is created in its root, and removed again."""

from __future__ import annotations

import io
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from davbridge import deadline
from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.drivers.protocol import Driver
from davbridge.errors import BridgeError, NotFound, UnknownOutcome
from davbridge.paths import DavPath

_CONTENT = b"Written by `davbridge check --write`, which removes it at once.\n"
_SECONDS, _ATTEMPTS = 30.0, 3


class LeftBehind(BridgeError):
    """The file could not be removed."""


def write_probe(driver: Driver, clock: Clock) -> str:
    """The name of the file that was written and removed.

    It has 128 random bits, and Graph is told to refuse rather than replace; whatever is there under that name is ours.

    Raises:
        BridgeError: it could not be written, and is not there. LeftBehind: it is there.
    """
    path = DavPath((f"davbridge-check-{secrets.token_hex(16)}.txt",))
    with _terminated_politely():
        is_there = True
        try:
            with deadline.within(clock, _SECONDS):
                driver.put(path, Body(io.BytesIO(_CONTENT), len(_CONTENT)), if_absent=True)
        except BridgeError as error:
            is_there = isinstance(error, UnknownOutcome)  # every other leaves the tree as it was
            raise
        finally:
            if is_there:
                _remove(driver, path, clock)
    return path.name


def _remove(driver: Driver, path: DavPath, clock: Clock) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with deadline.within(clock, _SECONDS):
                driver.delete(path)
            return
        except NotFound:
            return
        except BridgeError as error:
            if attempt == _ATTEMPTS:
                raise LeftBehind(f"{path.name} was written and cannot be removed, delete it by hand: {error}") from None
            clock.sleep(1.0)


@contextmanager
def _terminated_politely() -> Iterator[None]:
    """SIGTERM ends the program by way of `finally`."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
