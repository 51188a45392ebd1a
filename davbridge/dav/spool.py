"""A private temporary file for a body whose length nobody knows: Graph wants the total before the first byte."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from davbridge.body import Body, Readable
from davbridge.errors import BodyTruncated, QuotaExceeded, TooLarge
from davbridge.killpoint import killpoint

_IN_MEMORY = 4 * 2**20
_BLOCK = 256 * 1024
_SPARE = 64 * 2**20
"""Bytes of the disk that are left for the journal and the log."""


@contextmanager
def spooled(
    source: Readable, limit: int, *, expected: int | None, content_type: str, folder: str | None = None
) -> Iterator[Body]:
    """The whole of `source` as a body of known length; gone after the block.

    `expected` is what the client has announced (Finder's X-Expected-Entity-Length).

    Raises:
        BodyTruncated: the source broke off, or gave another number of bytes than expected.
        TooLarge: more than `limit` bytes. QuotaExceeded: the disk is full, or will be: then nothing is read.
    """
    if expected is not None and expected > limit:
        raise TooLarge(f"uploads of unknown length may have {limit} bytes")
    if (expected is None or expected > _IN_MEMORY) and _free(folder) < (expected or 0) + _SPARE:
        raise QuotaExceeded("the bridge has no room for an upload of unknown length")
    with tempfile.SpooledTemporaryFile(
        _IN_MEMORY, dir=folder
    ) as file:  # the file has no name: a crash leaves nothing behind
        length = _fill(file, source, limit)
        if expected is not None and expected != length:
            raise BodyTruncated(f"the upload has {length} bytes where {expected} were announced")
        file.seek(0)
        killpoint("spool filled")
        yield Body(file, length, content_type, again=lambda: file.seek(0))


def _free(folder: str | None) -> int:
    return shutil.disk_usage(folder or tempfile.gettempdir()).free


def _fill(file: IO[bytes], source: Readable, limit: int) -> int:
    length = 0
    while True:
        try:
            block = source.read(_BLOCK)
        except OSError as error:
            raise BodyTruncated("the upload broke off") from error
        if not block:
            return length
        length += len(block)
        if length > limit:
            raise TooLarge(f"uploads of unknown length may have {limit} bytes")
        try:
            file.write(block)
        except OSError as error:
            raise QuotaExceeded("the bridge has no room for an upload of unknown length") from error
