"""How a listing is sent: with its length while it is small, else as it is made, and packed when the client unpacks.

What fails before anything is sent is an error status. What fails later raises out of the body: the server cuts the
connection then, since a listing that ends well but early looks like deleted files to a sync client.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

from davbridge import deadline
from davbridge.dav.message import Headers, Request, Response
from davbridge.dav.propfind.folder import close
from davbridge.dav.propfind.listing import Blocks, Kept

STREAMED = 2 * 2**20
"""Bytes from which on a listing is sent before it is whole: some thousands of children."""
_WORTH_PACKING = 1400
_SMALL = 64 * 1024
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


def respond(request: Request, blocks: Blocks) -> Response:
    """207 with these blocks."""
    headers: Headers = [("Content-Type", "application/xml; charset=utf-8"), ("Cache-Control", "no-cache")]
    held, rest = _held(blocks)
    packs = False
    if rest is not None or sum(map(len, held)) > _WORTH_PACKING:
        # also for those who get it plain: a cache must not hand it to those who would get it packed (RFC 9110 §12.5.5)
        headers.append(("Vary", "Accept-Encoding"))
        codings = request.environ.get("HTTP_ACCEPT_ENCODING", "")
        packs = bool(codings) and _GZIP.search(codings) is not None
    if packs:
        headers.append(("Content-Encoding", "gzip"))
    if rest is None:
        blocks = _packed_whole(request, held) if packs else held
        # one block is one system call and one packet, and most answers are small
        return Response(207, headers, [b"".join(blocks)] if sum(map(len, blocks)) < _SMALL else blocks)
    body = _joined(request, held, rest)
    return Response(207, headers, _packed(body) if packs else body, streamed=True)


def _held(blocks: Blocks) -> tuple[list[bytes], Iterator[bytes] | None]:
    """The first blocks, and where the others come from, if there are others."""
    if isinstance(blocks, list):
        return blocks, None
    held: list[bytes] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        if size > STREAMED:
            return held, blocks
    return held, None


def _joined(request: Request, held: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    """All blocks; whoever makes the next one has a read's time for it."""
    try:
        while held:
            yield held.pop(0)
        while True:
            with deadline.within(request.shared.clock, deadline.READ_SECONDS):
                block = next(rest, None)
            if block is None:
                return
            yield block
    finally:
        close(rest)


def _packed_whole(request: Request, blocks: list[bytes]) -> list[bytes]:
    """Packed, once for each listing that is kept: packing takes longer than all the rest of it."""
    if not isinstance(blocks, Kept):
        return list(_packed(blocks))
    prepared = request.shared.prepared
    packed = prepared.get(blocks.key)
    if packed is None:
        packed = b"".join(_packed(blocks))
        prepared.put(blocks.key, packed)
    return [packed]


def _packed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """One gzip stream, quick rather than small: such XML shrinks tenfold at any level."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    try:
        for block in blocks:
            if data := packer.compress(block):
                yield data
        yield packer.flush()
    finally:
        close(blocks)
