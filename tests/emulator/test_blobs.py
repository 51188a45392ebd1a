"""Contents of the emulator: what is read is what was written, also where zeros are left out of the file."""

from __future__ import annotations

import base64
from pathlib import Path

from davbridge.emulator.blobs import Draft

MIB = 1 << 20


def test_zeros_take_no_room_and_read_as_zeros(tmp_path: Path) -> None:
    """A large content of zeros with one other block reads as it was written, and occupies about that block."""
    draft = Draft(tmp_path, 12 * MIB + 5)
    for position in range(12):
        draft.write(position * MIB, b"x" * MIB if position == 3 else bytes(MIB))
    draft.write(12 * MIB, bytes(5))
    blob = draft.finish(12 * MIB + 5)
    assert blob.bytes() == bytes(3 * MIB) + b"x" * MIB + bytes(8 * MIB + 5)
    assert next(tmp_path.iterdir()).stat().st_blocks * 512 < 2 * MIB


def test_zeros_replace_what_a_cut_fragment_left(tmp_path: Path) -> None:
    """Zeros that are written over other bytes take their place."""
    draft = Draft(tmp_path, 9 * MIB)
    draft.write(0, b"x" * MIB)
    draft.write(0, bytes(MIB))
    assert draft.finish(9 * MIB).bytes() == bytes(9 * MIB)


def test_zeros_count_in_the_hash(tmp_path: Path) -> None:
    """The hash of a content with more zeros than are looked at together is that of the definition."""
    size, at, data = 9 * MIB + 77, MIB + 5, b"not zero"
    draft = Draft(tmp_path, size)
    draft.write(0, bytes(at) + data + bytes(size - at - len(data)))
    register = 0
    for number, byte in enumerate(data, at):  # zeros turn the ring and nothing else
        shift = 11 * number % 160
        register ^= (byte << shift & (1 << 160) - 1) | byte << shift >> 160
    register ^= size << 96
    assert draft.finish(size).quick_xor_hash == base64.b64encode(register.to_bytes(20, "little")).decode()
