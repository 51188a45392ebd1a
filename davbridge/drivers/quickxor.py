"""quickXorHash, the one hash that every kind of drive tells (facts/graph.md §2.8): for reconciling a lost answer."""

from __future__ import annotations

import base64

_BLOCK = 160
_MASK = (1 << 160) - 1


def quick_xor_hash(data: bytes) -> str:
    """Base64 of the 160-bit hash of `data`, as in `file.hashes.quickXorHash`."""
    folded = 0
    for start in range(0, len(data), _BLOCK):
        folded ^= int.from_bytes(data[start : start + _BLOCK], "little")
    value = 0
    for position, byte in enumerate(folded.to_bytes(_BLOCK, "little")):
        value ^= byte << (11 * position % 160)
    value = (value & _MASK) ^ (value >> 160)
    value ^= len(data) << 96
    return base64.b64encode((value & _MASK).to_bytes(20, "little")).decode()
