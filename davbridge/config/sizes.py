"""Sizes as people write them: `10G`, `512 MiB`, `off`."""

from __future__ import annotations

import re
from typing import Any

SMALLEST = 64 << 20
_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def read_size(value: Any) -> Any:
    """Bytes (units count in 1024), or None for `off`.

    Raises:
        ValueError: it is no size, or too small a one to be of use.
    """
    if value is None or value is False or (isinstance(value, str) and value.strip().lower() == "off"):
        return None
    if type(value) is int and value >= SMALLEST:
        return value  # bytes, as a dumped configuration has them
    found = (
        re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?\s*", value, re.IGNORECASE)
        if isinstance(value, str)
        else None
    )
    if found is None:
        raise ValueError("must be a size such as 10G or 512M, or off")
    size = int(float(found[1]) * _UNITS[found[2].upper()])
    if size < SMALLEST:
        raise ValueError("must be 64M at least: less is of no use")
    return size
