"""One writer of a path at a time, over all threads and processes with one state folder.

Two writers of one file are both told the truth only if their writes have an order: what the second one finds is what
the first has written, and the mirror hears of them in that order. A byte of a file stands for each path. Who writes has
it locked; the kernel lets go of it at any death.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.errors import Busy, Locked
from davbridge.waiting import about_to_wait, end_moment

log = logging.getLogger(__name__)
_FIRST, _LONGEST = 0.02, 0.5
_SPARE = 2.0
"""Seconds of the request that are left for its answer."""
# struct flock of 64-bit Linux: locks that belong to an open file, and so keep threads apart, too (fcntl(2))
_SET = getattr(fcntl, "F_OFD_SETLK", None) if sys.maxsize > 2**32 else None
_FLOCK = "hhqqi"


class Turns(Protocol):
    """Who may write where."""

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """For the block, nobody else has the turn of this key.

        Raises:
            Locked: somebody has had it for as long as the request can wait. Busy: the state folder cannot be used.
        """
        yield


class NoTurns:
    """For a driver that nobody else uses."""

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """At once."""
        yield


class FileTurns:
    """`Turns` in a file, which stays empty."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """As in `Turns`. Where the file system has no such locks, writers go on without."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Busy(f"the bridge's state folder cannot be used: {error.strerror}") from error
        try:
            self._wait(descriptor, int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big"))
            # whoever had it before has changed what was true when this request came
            end_moment()
            yield
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int, place: int) -> None:
        pause = _FIRST
        while not _try(descriptor, place):
            if deadline.current(self._clock).remaining() < pause + _SPARE:
                raise Locked("somebody else is still writing this file")
            about_to_wait()
            self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST)


def _try(descriptor: int, place: int) -> bool:
    if _SET is None:
        return True
    try:
        fcntl.fcntl(descriptor, _SET, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        log.warning("writers cannot be put in order here: %s", error.strerror)
    return True
