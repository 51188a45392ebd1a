"""Sizes as people write them."""

from __future__ import annotations

import pytest

from davbridge.config.sizes import read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10G", 10 << 30),
        ("64M", 64 << 20),
        ("1.5 GiB", 3 << 29),
        ("2t", 2 << 40),
        ("100 MB", 100 << 20),
        (64 << 20, 64 << 20),
    ],
)
def test_sizes(text: object, size: int) -> None:
    """Units count in 1024, with or without their ends; a number is bytes, as a dumped configuration has them."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["off", " OFF ", False, None])
def test_off(text: object) -> None:
    """YAML makes a boolean of `off`."""
    assert read_size(text) is None


@pytest.mark.parametrize("text", ["", "10", 10, True, "-1G", "10X", "63M", "0", "G", [], "1e3G"])
def test_what_is_no_size(text: object) -> None:
    """It is said what to write instead."""
    with pytest.raises(ValueError, match=r"10G|64M"):
        read_size(text)
