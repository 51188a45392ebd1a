"""A claim: one holder at a time, and the next one after it."""

from __future__ import annotations

from pathlib import Path

from davbridge.claim import Claim


def test_one_holds_it(tmp_path: Path) -> None:
    """The first one that asks, until it lets go; also within one process."""
    one, two = Claim(tmp_path / "lock"), Claim(tmp_path / "lock")
    assert one.mine()
    assert not two.mine()
    assert one.mine()
    one.release()
    assert two.mine()
    assert not one.mine()
    two.release()
