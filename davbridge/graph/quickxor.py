"""quickXorHash, the one hash that every kind of drive tells (facts/graph.md §2.8): for reconciling a lost answer."""

from __future__ import annotations

import base64

_BLOCK = 160
_MANY = 256 * _BLOCK
_WIDE = 8 * _BLOCK
_MASK = (1 << 160) - 1


class QuickXor:
    """The hash of bytes that come in parts."""

    def __init__(self) -> None:
        self._folded = 0
        self._length = 0

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        turn = 8 * (self._length % _BLOCK)
        folded = _folded(data) << turn
        self._folded ^= (folded & ((1 << _WIDE) - 1)) ^ (folded >> _WIDE)
        self._length += len(data)

    def digest(self) -> str:
        """Base64 of the 160-bit hash, as in `file.hashes.quickXorHash`."""
        value = 0
        for position, byte in enumerate(self._folded.to_bytes(_BLOCK, "little")):
            value ^= byte << (11 * position % 160)
        value = (value & _MASK) ^ (value >> 160)
        value ^= self._length << 96
        return base64.b64encode((value & _MASK).to_bytes(20, "little")).decode()


def quick_xor_hash(data: bytes) -> str:
    """The hash of `data`."""
    hashed = QuickXor()
    hashed.update(data)
    return hashed.digest()


def _folded(data: bytes) -> int:
    """XOR of the blocks, many at a time first: ten megabytes take some milliseconds."""
    wide = 0
    for start in range(0, len(data), _MANY):
        wide ^= int.from_bytes(data[start : start + _MANY], "little")
    folded = 0
    while wide:
        folded ^= wide & ((1 << _WIDE) - 1)
        wide >>= _WIDE
    return folded
