"""Contents of the emulator: what is read is what was written, also where zeros are left out of the file."""

from __future__ import annotations

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
