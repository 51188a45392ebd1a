"""The bytes of an upload, as the layers hand them down: a known length, read once, counted.

`dav` makes a `Body` from the request (or from the spool when the length was unknown), a driver reads it, `transport`
sends what was read. The promise that matters: **a body that ends early raises**, so a short upload can never be
committed as a whole one (law 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from davbridge.errors import BodyTruncated


class Readable(Protocol):
    """Anything with `read(n)`; an empty answer means the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Copy(Protocol):
    """Gets the bytes of a body, too, in order; never raises."""

    def write(self, data: bytes) -> None:
        """The next bytes."""

    def restart(self) -> None:
        """They come again, from the first one on."""


_BLOCK = 2**20


class Body:
    """`length` bytes from `source`.

    `content_type` is the client's, or empty. `remaining` is what has not been read yet. `again` turns the source back
    to its first byte, where it can do that.
    """

    def __init__(
        self, source: Readable, length: int, content_type: str = "", again: Callable[[], object] | None = None
    ) -> None:
        self._source = source
        self._again = again
        self._copy: Copy | None = None
        self.length = length
        self.content_type = content_type
        self.remaining = length
        self._whole: bytes | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether the bytes can still be given from the first one on."""
        return self._whole is not None or self.remaining == self.length

    def rewind(self) -> bool:
        """Go back to the first byte; False where those that were read cannot be had again."""
        if self.remaining == self.length:
            return True
        if self._again is None:
            return False
        self._again()
        self.remaining = self.length
        if self._copy is not None:
            self._copy.restart()
        return True

    def copy_to(self, copy: Copy | None) -> None:
        """Give what is read from now on to `copy`, too; None: to nobody any more."""
        self._copy = copy

    def whole(self) -> bytes:
        """All bytes at once, for small bodies; may be asked for again.

        Raises:
            BodyTruncated: as `read`.
        """
        if self._whole is None:
            self._whole = self.read(self.length)
        return self._whole

    def read(self, size: int) -> bytes:
        """Return exactly `min(size, remaining)` bytes; empty only at the announced end.

        Raises:
            BodyTruncated: the source ended, or broke, before `length` bytes had come.
        """
        wanted = min(size, self.remaining)
        parts: list[bytes] = []
        while wanted > 0:
            try:
                part = self._source.read(min(wanted, _BLOCK))
            except OSError as error:
                raise BodyTruncated(f"the upload broke off with {self.remaining} bytes missing") from error
            if not part:
                raise BodyTruncated(f"the upload ended with {self.remaining} bytes missing")
            parts.append(part)
            wanted -= len(part)
            self.remaining -= len(part)
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._copy is not None:
            self._copy.write(data)
        return data
