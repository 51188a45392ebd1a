"""How a command finds the bridge that runs on a state folder, has it reload, and hears how that went (decision 006).

`serving.lock` holds the process id of the bridge, which holds the file's lock for as long as it lives. The file comes
into its place locked and written, so a lock that is held says that the id in the very same file is good: one left
behind, by a crash or a restored backup, is never believed, and no stranger gets the signal.

`reload.json` counts: so many reloads `began`, and how the last one `ended`. What begins after somebody has read `began`
reads the configuration after that, whoever asked for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from davbridge.durable import write_atomically

_LOCK, _OUTCOME = "serving.lock", "reload.json"
_STEP = 0.05
RELOAD_SECONDS = 150.0
"""How long to wait for a reload: longer than the bridge itself waits for its workers."""


@dataclass(frozen=True)
class Outcome:
    """`status` as an exit status: 0 switched, 78 the configuration must be changed, 1 anything else."""

    status: int
    message: str


class Presence:
    """The mark of this process in a state folder."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._began = self._ended = 0
        self._outcome = Outcome(0, "")

    @classmethod
    def announce(cls, folder: Path) -> Presence:
        """This process can be told to reload from now on.

        Raises:
            OSError.
        """
        path = folder / _LOCK
        temporary = folder / f".{_LOCK}.{secrets.token_hex(6)}.tmp"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, str(os.getpid()).encode())
            presence = cls(folder, descriptor)
            presence._write()
            os.replace(temporary, path)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        return presence

    def began(self) -> None:
        """A reload begins; the configuration has not been read yet. Raises: OSError."""
        self._began += 1
        self._write()

    def ended(self, outcome: Outcome) -> None:
        """The reload is over. Raises: OSError."""
        self._ended, self._outcome = self._began, outcome
        self._write()

    def close(self) -> None:
        """Nobody is here any more."""
        os.close(self._descriptor)

    def _write(self) -> None:
        told = {"began": self._began, "ended": self._ended, **asdict(self._outcome)}
        write_atomically(self._folder / _OUTCOME, json.dumps(told).encode())


def reload(folder: Path, seconds: float) -> Outcome | None:
    """Have the bridge on `folder` reload, and wait up to `seconds` for the outcome. None: there is no bridge.

    Raises:
        OSError: the folder cannot be read, or the bridge is another user's.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _is_free(descriptor):
            return None
        began = int(_outcome(folder).get("began", 0))
        if not _signal(descriptor):
            return None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            told = _outcome(folder)
            if int(told.get("ended", 0)) > began:
                return Outcome(int(told["status"]), str(told["message"]))
            if _is_free(descriptor):
                return Outcome(1, "the bridge has ended meanwhile")
            time.sleep(_STEP)
        return Outcome(1, f"the bridge has not answered for {seconds:.0f} seconds; its log says what it does")
    finally:
        os.close(descriptor)


def _signal(descriptor: int) -> bool:
    """Send SIGHUP to the holder of the lock; False when it has just gone."""
    pid = int(os.pread(descriptor, 20, 0))
    if sys.platform != "linux":
        os.kill(pid, signal.SIGHUP)
        return True
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # looked at once more: the id may have been given to another process before the handle was made, never after
        if _is_free(descriptor):
            return False
        signal.pidfd_send_signal(process, signal.SIGHUP)
    finally:
        os.close(process)
    return True


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _outcome(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / _OUTCOME).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found
