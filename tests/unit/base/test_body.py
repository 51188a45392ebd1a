"""Bodies: the announced bytes, or an error."""

from __future__ import annotations

import io

import pytest

from davbridge.body import Body
from davbridge.errors import BodyTruncated


class Dribble(io.RawIOBase):
    """Gives one byte a read, as a slow socket may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 1))


def test_reads_fill_up_to_the_asked_size() -> None:
    """A fragment is whole even when the source gives single bytes."""
    body = Body(Dribble(b"abcdef"), 6)
    assert body.read(4) == b"abcd"
    assert body.read(4) == b"ef"
    assert body.read(4) == b""


def test_a_body_never_reads_past_its_length() -> None:
    """Bytes behind the announced length belong to the next request."""
    source = io.BytesIO(b"abcNEXT")
    assert Body(source, 3).read(100) == b"abc"
    assert source.read() == b"NEXT"


def test_a_short_body_raises() -> None:
    """A body that ends early can never be taken for a whole one (law 2)."""
    body = Body(io.BytesIO(b"abc"), 5)
    with pytest.raises(BodyTruncated, match="2 bytes missing"):
        body.read(5)


def test_a_broken_source_raises_the_same() -> None:
    """A reset connection is a truncated body."""

    class Broken:
        def read(self, size: int = -1, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(BodyTruncated):
        Body(Broken(), 1).read(1)


class Seen:
    """What a copy has been given."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data = b""


def test_a_copy_of_what_is_read() -> None:
    """It has each byte once, also of a body that is read again; a body that is copied can be repeated as any other."""
    source, seen = io.BytesIO(b"abcdef"), Seen()
    body = Body(source, 6, again=lambda: source.seek(0))
    body.copy_to(seen)
    assert body.read(4) == b"abcd"
    assert body.rewind()
    assert body.whole() == b"abcdef"
    assert body.is_repeatable
    assert body.whole() == seen.data == b"abcdef"
