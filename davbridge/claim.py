"""Work that one process does for all: whoever holds a file's lock. The kernel lets go of it when a process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Claim:
    """A claim on `path`, held from the first time that `mine` finds nobody else holding it until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def mine(self) -> bool:
        """Whether we hold it; when nobody does, we do from now on.

        Raises:
            OSError: the file cannot be opened.
        """
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
