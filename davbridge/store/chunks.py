"""Chunks of uploads that come in several requests: files below the state folder, for all processes (decision 013).

`<folder>/<user>/<upload>/<chunk>`. A chunk is there whole or not at all, and once `write` has returned it outlives the
process and the power. All users together have `limit` bytes. Names are checked here, so no path leads out of the
folder. This module knows neither DAV nor where an upload leads to.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.errors import AlreadyExists, Locked, NameRefused, NotFound, QuotaExceeded
from davbridge.waiting import about_to_wait

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 24 * 3600
"""How long an upload waits for its next chunk, as at Nextcloud."""
SWEEP_SECONDS = 3600
LEAST = 64 * 2**10
"""What each chunk counts at least: a bound on the number of files."""
MOST = 1000
"""Uploads that a user may have begun at a time."""
SPARE = 64 * 2**20
"""Bytes of the disk that are left for the journal and the log."""
_BLOCK = 2**20
_UPLOAD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_CHUNK = re.compile(r"([0-9]{1,18})(?:-[0-9]{1,18})?")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored chunk. `number` is its place in the order, or the offset of its first byte; `tag` changes with it."""

    name: str
    path: Path
    size: int
    modified: datetime
    tag: str

    @property
    def number(self) -> int:
        found = _CHUNK.fullmatch(self.name)
        return int(found[1]) if found else 0


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
        return _size(self._folder)

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
            living = _sweep_parts(upload)
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
            if _size(self._folder) + max(length, LEAST) > self._limit:
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
                with _room():
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
            return sorted(name for name in os.listdir(self._folder) if _UPLOAD.fullmatch(name))
        return []

    def changed(self, upload: str) -> datetime:
        """When something was last done to it. Raises: NotFound."""
        try:
            return _moment(self._path(upload).stat().st_mtime)
        except FileNotFoundError:
            raise NotFound("there is no such upload") from None

    def make(self, upload: str) -> None:
        """Raises: AlreadyExists, NameRefused, QuotaExceeded."""
        if not _UPLOAD.fullmatch(upload):
            raise NameRefused("an upload's name has letters, digits, - _ and . only")
        about_to_wait()
        if len(self.uploads()) >= MOST:
            raise QuotaExceeded("too many uploads have begun")
        path = self._folder / upload
        with _room():
            for folder in (self._folder.parent, self._folder):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)
                    _sync(folder.parent)
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                raise AlreadyExists("that upload has begun already") from None
            self._store.touch(path)
            _sync(self._folder)

    def chunks(self, upload: str) -> list[Chunk]:
        """What has come of it, in order. Raises: NotFound."""
        return _chunks(self._path(upload))

    def write(self, upload: str, name: str, body: Body) -> tuple[Chunk, bool]:
        """Store a chunk, in the place of one of that name; whether it is new. It is on the disk when this returns.

        Raises:
            NotFound: there is no such upload (any more). NameRefused. Locked: it is being put together.
            QuotaExceeded: there is no room. BodyTruncated.
        """
        path = self._path(upload)
        if not _CHUNK.fullmatch(name):
            raise NameRefused("a chunk's name is its number, or its first and last offset")
        about_to_wait()
        part, descriptor = self._store.reserve(path, body.length)
        try:
            while data := memoryview(body.read(_BLOCK)):
                with _room():
                    while data:
                        data = data[os.write(descriptor, data) :]
            with _room():
                os.fsync(descriptor)
            with held(path, shared=True):
                created = not (path / name).exists()
                with self._store.alone():  # else who counts at this moment may see it under neither name
                    part.rename(path / name)
                self._store.touch(path)
                _sync(path)
                chunk = _chunk(path / name)
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
            yield _chunks(path)

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
                if not _CHUNK.fullmatch(name):
                    raise FileNotFoundError
                (path / name).unlink()
            except FileNotFoundError:
                raise NotFound("there is no such chunk") from None
            self._store.touch(path)
            _sync(path)

    def _path(self, upload: str) -> Path:
        if not _UPLOAD.fullmatch(upload):
            raise NotFound("there is no such upload")
        return self._folder / upload


@contextmanager
def held(upload: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold an upload's lock: alone, or (`shared`) with others who add to it.

    Raises:
        NotFound. Locked: somebody else holds it.
    """
    try:
        descriptor = os.open(upload, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound("there is no such upload") from None
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            # who held it before may have removed it, and another of the same name may have begun
            same = upload.stat().st_ino == os.fstat(descriptor).st_ino
        except BlockingIOError:
            raise Locked("the upload is being put together, or added to") from None
        except FileNotFoundError:
            same = False
        if not same:
            raise NotFound("there is no such upload any more")
        yield
    finally:
        os.close(descriptor)


def drop(upload: Path) -> None:
    """Remove an upload: from sight in one step, so that no part of it is ever taken for the whole. Raises: OSError."""
    gone = upload.with_name(f".{secrets.token_hex(8)}.gone")
    upload.rename(gone)
    _sync(upload.parent)
    shutil.rmtree(gone, ignore_errors=True)


def _sweep_parts(upload: Path) -> bool:
    """Remove what was being written by those who have died; whether somebody is still writing."""
    living = False
    moment = upload.stat()
    for part in upload.glob(".*.part"):
        descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            os.utime(upload, ns=(moment.st_atime_ns, moment.st_mtime_ns))  # else it would wait another day
        except BlockingIOError:
            living = True
        finally:
            os.close(descriptor)
    return living


def _chunks(path: Path) -> list[Chunk]:
    try:
        names = [name for name in os.listdir(path) if _CHUNK.fullmatch(name)]
        found = [_chunk(path / name) for name in names]
    except FileNotFoundError:
        raise NotFound("there is no such upload") from None
    return sorted(found, key=lambda chunk: (chunk.number, chunk.name))


def _chunk(path: Path) -> Chunk:
    found = path.stat()
    tag = f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"
    return Chunk(path.name, path, found.st_size, _moment(found.st_mtime), tag)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _size(folder: Path) -> int:
    total = 0
    # whoever removes something while we look makes the sum smaller, never larger
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += _size(Path(entry.path))
                elif entry.name != ".space":
                    total += max(entry.stat(follow_symlinks=False).st_size, LEAST)
    return total


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _room() -> Iterator[None]:
    """A full disk in the words of the tree. Raises: QuotaExceeded."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise QuotaExceeded("the bridge has no room for an upload in chunks") from error
