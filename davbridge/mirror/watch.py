"""Files beside the mirror by which all processes of a bridge tell each other: in use, look now, and who polls.

Why files: their times cost a microsecond to set and to read, and the kernel drops a lock the moment its process dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from davbridge.clock import Clock
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.standing import TRUST_SECONDS, Standing

_TOUCH_SECONDS = 1.0
_PATIENCE = 2.0
_STEP = 0.02


class Watch:
    """What requests say to the poller of one drive, and how they wait for it."""

    def __init__(self, file: MirrorFile, clock: Clock, standing: Callable[[], Standing]) -> None:
        self._file = file
        self._clock = clock
        self._standing = standing
        self._active = file.path.with_suffix(".active")
        self._poke = file.path.with_suffix(".poke")
        self._lock_file = file.path.with_suffix(".lock")
        self._touched = 0.0

    def attend(self) -> None:
        """A request wants to know the drive. After a long silence it waits for a round, but not for long.

        Cheap: at most once a second it does anything at all.
        """
        now = self._clock.monotonic()
        if now - self._touched < _TOUCH_SECONDS:
            return
        self._touched = now
        self._file.look()
        idle = self.idle_seconds()
        _touch(self._active)
        if idle > TRUST_SECONDS:  # else the poller is at work, and waiting for it would change nothing
            standing = self._standing()
            if standing.link and not standing.next and self._age(standing) > TRUST_SECONDS:
                self._catch_up()

    def poke(self) -> None:
        """Something has changed at Microsoft: poll now."""
        _touch(self._poke)

    def idle_seconds(self) -> float:
        """How long no request has come, in any process."""
        return self._clock.now().timestamp() - _time(self._active)

    def poked_at(self) -> float:
        """When somebody last wanted a poll at once, POSIX seconds."""
        return _time(self._poke)

    def try_lock(self) -> int | None:
        """Become the drive's poller: the descriptor that holds the lock, or None when another process is it."""
        self._lock_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def holds(self, descriptor: int) -> bool:
        """Whether the lock is still the one that others would find: false when the folder was cleared."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._lock_file.stat())
        except OSError:
            return False

    def _age(self, standing: Standing) -> float:
        return self._clock.now().timestamp() - standing.synced

    def _catch_up(self) -> None:
        self.poke()
        end = self._clock.monotonic() + _PATIENCE
        while self._clock.monotonic() < end:
            self._clock.sleep(_STEP)
            if self._age(self._standing()) <= TRUST_SECONDS:
                return


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except FileNotFoundError:
        with suppress(OSError):  # a full disk, or a folder that is read-only: then nobody polls either
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
    except OSError:
        pass


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
