"""Chunks of uploads that come in several requests: files below the state folder, for all processes (decision 013).

`<folder>/<user>/<upload>/<chunk>`. A chunk is there whole or not at all, and once `write` has returned it outlives the
process and the power. All users together have `limit` bytes. Names are checked here, so no path leads out of the
folder. This module knows neither DAV nor where an upload leads to.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.durable import sync_folder
from davbridge.errors import AlreadyExists, Locked, NameRefused, NotFound, QuotaExceeded
from davbridge.store.chunkfiles import (
    CHUNK_NAME,
    LEAST,
    UPLOAD_NAME,
    Chunk,
    described,
    drop,
    held,
    listed,
    moment,
    room,
    size_of,
    sweep_parts,
)
from davbridge.waiting import about_to_wait

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 24 * 3600
"""How long an upload waits for its next chunk, as at Nextcloud."""
SWEEP_SECONDS = 3600
MOST = 1000
"""Uploads that a user may have begun at a time."""
SPARE = 64 * 2**20
"""Bytes of the disk that are left for the journal and the log."""
_BLOCK = 2**20


class ChunkStore:
    """The uploads of all users, in `limit` bytes; with None nothing can be added, and what is there still expires."""

    def __init__(self, folder: Path, limit: int | None, clock: Clock) -> None:
        self._folder = folder
        self._limit = limit or 0
        self._clock = clock
        self._next_sweep = 0.0

    @property
    def limit(self) -> int:
        return self._limit

    def of(self, user: str) -> UserChunks:
        """The uploads of one user; no other's can be reached from there."""
        return UserChunks(self, self._folder / hashlib.sha256(user.encode()).hexdigest()[:32])

    def used(self) -> int:
        """Bytes that count against the limit, what is being written included."""
        return size_of(self._folder)

    def look(self) -> None:
        """Sweep at the first call, and then every hour; one process does it. Raises nothing."""
        now = self._clock.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            try:
                self.sweep()
            except OSError as error:
                log.warning("uploads in chunks could not be swept: %s", error)

    def sweep(self) -> None:
        """Remove uploads that are too old, and what processes that died have left.

        Raises:
            OSError.
        """
        if not self._folder.is_dir():
            return
        oldest = self._clock.now().timestamp() - EXPIRY_SECONDS
        for user in [one for one in self._folder.iterdir() if one.is_dir()]:
            for upload in list(user.iterdir()):
                if upload.name.startswith("."):
                    shutil.rmtree(upload, ignore_errors=True)
                else:
                    self._sweep_upload(upload, oldest)

    def _sweep_upload(self, upload: Path, oldest: float) -> None:
        with suppress(NotFound, Locked, FileNotFoundError), self.alone():
            living = sweep_parts(upload)
            if living or upload.stat().st_mtime >= oldest:
                return
            # not held before it is known to be old: who adds the last of a chunk meanwhile would be refused
            with held(upload):
                drop(upload)
                log.info("an upload in chunks was given up: nothing was added for a day")

    def reserve(self, upload: Path, length: int) -> tuple[Path, int]:
        """An open file of `length` bytes to be, which counts from now on, and which its lock shows to be in use.

        Raises:
            NotFound: there is no such upload. QuotaExceeded.
        """
        with self.alone():
            if size_of(self._folder) + max(length, LEAST) > self._limit:
                raise QuotaExceeded("the bridge has no room for more chunks")
            if shutil.disk_usage(self._folder).free < length + SPARE:
                raise QuotaExceeded("the bridge has no room for an upload in chunks")
            part = upload / f".{secrets.token_hex(8)}.part"
            try:
                descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                raise NotFound("there is no such upload") from None
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                with room():
                    os.ftruncate(descriptor, length)
                self.touch(upload)
            except BaseException:
                os.close(descriptor)
                part.unlink(missing_ok=True)
                raise
        return part, descriptor

    def touch(self, upload: Path) -> None:
        """Something is done to it: it waits a day from now on."""
        now = self._clock.now().timestamp()
        with suppress(FileNotFoundError):
            os.utime(upload, (now, now))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else, in any process, reserves or sweeps."""
        if not self._folder.is_dir():
            raise NotFound("there is no such upload")
        descriptor = os.open(self._folder / ".space", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class UserChunks:
    """One user's uploads."""

    def __init__(self, store: ChunkStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    @property
    def used(self) -> int:
        """Bytes of all users."""
        return self._store.used()

    @property
    def limit(self) -> int:
        """Bytes that all users together may have."""
        return self._store.limit

    def uploads(self) -> list[str]:
        """The names of those that are there."""
        with suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self._folder) if UPLOAD_NAME.fullmatch(name))
        return []

    def changed(self, upload: str) -> datetime:
        """When something was last done to it. Raises: NotFound."""
        try:
            return moment(self._path(upload).stat().st_mtime)
        except FileNotFoundError:
            raise NotFound("there is no such upload") from None

    def make(self, upload: str) -> None:
        """Raises: AlreadyExists, NameRefused, QuotaExceeded."""
        if not UPLOAD_NAME.fullmatch(upload):
            raise NameRefused("an upload's name has letters, digits, - _ and . only")
        about_to_wait()
        if len(self.uploads()) >= MOST:
            raise QuotaExceeded("too many uploads have begun")
        path = self._folder / upload
        with room():
            for folder in (self._folder.parent, self._folder):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)
                    sync_folder(folder.parent)
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                raise AlreadyExists("that upload has begun already") from None
            self._store.touch(path)
            sync_folder(self._folder)

    def chunks(self, upload: str) -> list[Chunk]:
        """What has come of it, in order. Raises: NotFound."""
        return listed(self._path(upload))

    def write(self, upload: str, name: str, body: Body) -> tuple[Chunk, bool]:
        """Store a chunk, in the place of one of that name; whether it is new. It is on the disk when this returns.

        Raises:
            NotFound: there is no such upload (any more). NameRefused. Locked: it is being put together.
            QuotaExceeded: there is no room. BodyTruncated.
        """
        path = self._path(upload)
        if not CHUNK_NAME.fullmatch(name):
            raise NameRefused("a chunk's name is its number, or its first and last offset")
        about_to_wait()
        part, descriptor = self._store.reserve(path, body.length)
        try:
            while data := memoryview(body.read(_BLOCK)):
                with room():
                    while data:
                        data = data[os.write(descriptor, data) :]
            with room():
                os.fsync(descriptor)
            with held(path, shared=True):
                created = not (path / name).exists()
                with self._store.alone():  # else who counts at this moment may see it under neither name
                    part.rename(path / name)
                self._store.touch(path)
                sync_folder(path)
                chunk = described(path / name)
        except FileNotFoundError:
            raise NotFound("there is no such upload any more") from None
        finally:
            part.unlink(missing_ok=True)
            os.close(descriptor)
        return chunk, created

    @contextmanager
    def assembling(self, upload: str) -> Iterator[list[Chunk]]:
        """Its chunks, which nobody changes in the block. They stay; `forget` them in the block when they are stored.

        Raises:
            NotFound. Locked: somebody else is doing that, or is adding a chunk.
        """
        path = self._path(upload)
        about_to_wait()
        with held(path):
            self._store.touch(path)
            yield listed(path)

    def forget(self, upload: str) -> None:
        """Remove an upload that is being put together: it has been stored. Raises nothing."""
        with suppress(OSError):
            drop(self._path(upload))

    def remove(self, upload: str) -> None:
        """Give an upload up. Raises: NotFound, Locked."""
        path = self._path(upload)
        about_to_wait()
        with held(path):
            drop(path)

    def remove_chunk(self, upload: str, name: str) -> None:
        """Raises: NotFound, Locked."""
        path = self._path(upload)
        about_to_wait()
        with held(path, shared=True):
            try:
                if not CHUNK_NAME.fullmatch(name):
                    raise FileNotFoundError
                (path / name).unlink()
            except FileNotFoundError:
                raise NotFound("there is no such chunk") from None
            self._store.touch(path)
            sync_folder(path)

    def _path(self, upload: str) -> Path:
        if not UPLOAD_NAME.fullmatch(upload):
            raise NotFound("there is no such upload")
        return self._folder / upload
