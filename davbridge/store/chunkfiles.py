"""The files and folders of uploads in chunks: their names, locks, sizes, and how they appear and go (see `chunks`)."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davbridge.durable import sync_folder
from davbridge.errors import Locked, NotFound, QuotaExceeded

UPLOAD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
CHUNK_NAME = re.compile(r"([0-9]{1,18})(?:-[0-9]{1,18})?")
LEAST = 64 * 2**10
"""What each chunk counts at least: a bound on the number of files."""
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
        found = CHUNK_NAME.fullmatch(self.name)
        return int(found[1]) if found else 0


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
    sync_folder(upload.parent)
    shutil.rmtree(gone, ignore_errors=True)


def sweep_parts(upload: Path) -> bool:
    """Remove what was being written by those who have died; whether somebody is still writing."""
    living = False
    before = upload.stat()
    for part in upload.glob(".*.part"):
        descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            os.utime(upload, ns=(before.st_atime_ns, before.st_mtime_ns))  # else it would wait another day
        except BlockingIOError:
            living = True
        finally:
            os.close(descriptor)
    return living


def listed(path: Path) -> list[Chunk]:
    """The chunks of an upload, in order. Raises: NotFound."""
    try:
        names = [name for name in os.listdir(path) if CHUNK_NAME.fullmatch(name)]
        found = [described(path / name) for name in names]
    except FileNotFoundError:
        raise NotFound("there is no such upload") from None
    return sorted(found, key=lambda chunk: (chunk.number, chunk.name))


def described(path: Path) -> Chunk:
    """A chunk that is there. Raises: FileNotFoundError."""
    found = path.stat()
    tag = f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"
    return Chunk(path.name, path, found.st_size, moment(found.st_mtime), tag)


def moment(seconds: float) -> datetime:
    """In whole seconds, as DAV tells it."""
    return datetime.fromtimestamp(int(seconds), UTC)


def size_of(folder: Path) -> int:
    """Bytes of all files below, of each `LEAST` at least."""
    total = 0
    # whoever removes something while we look makes the sum smaller, never larger
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(Path(entry.path))
                elif entry.name != ".space":
                    total += max(entry.stat(follow_symlinks=False).st_size, LEAST)
    return total


@contextmanager
def room() -> Iterator[None]:
    """A full disk in the words of the tree. Raises: QuotaExceeded."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise QuotaExceeded("the bridge has no room for an upload in chunks") from error
