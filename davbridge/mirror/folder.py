"""The mirror files of a bridge: one for each account and drive, in one folder of the state."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import weakref
from pathlib import Path

from davbridge.clock import Clock
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.keys import key_of

FENCE_SECONDS = 60.0


class Mirrors:
    """Opens each file once. Policies of one account on one drive share it, and so agree."""

    def __init__(self, folder: Path, clock: Clock, *, fence: float = FENCE_SECONDS) -> None:
        self.folder = folder
        self._clock = clock
        self._fence = fence
        self._lock = threading.Lock()
        self._files: dict[Path, MirrorFile] = {}

    @classmethod
    def temporary(cls, clock: Clock) -> Mirrors:
        """Files that are gone with the process: for `check` and tests."""
        folder = Path(tempfile.mkdtemp(prefix="davbridge-mirror-"))
        mirrors = cls(folder, clock)
        weakref.finalize(mirrors, shutil.rmtree, folder, ignore_errors=True)
        return mirrors

    def open(self, account: str, drive_id: str) -> MirrorFile:
        """The file of a drive as an account sees it.

        Raises: Busy, QuotaExceeded.
        """
        digest = hashlib.blake2b(f"{account}\n{key_of(drive_id, '')[0]}".encode(), digest_size=10).hexdigest()
        path = self.folder / f"{digest}.sqlite"
        with self._lock:
            if path not in self._files:
                self._files[path] = MirrorFile(path, self._clock, fence=self._fence)
            return self._files[path]

    def clear(self) -> None:
        """Know nothing any more, in whatever process: every file in the folder is emptied."""
        for path in self.folder.glob("*.sqlite"):
            MirrorFile(path, self._clock, fence=self._fence).clear()

    def close(self) -> None:
        """Close the calling thread's connections."""
        with self._lock:
            for file in self._files.values():
                file.close()
