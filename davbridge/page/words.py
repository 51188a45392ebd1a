"""Times, sizes and names as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup

from davbridge.dav.browse import human_size

__all__ = ["UNPRINTABLE", "ago", "human_size", "moment", "printable", "said", "spell", "utc"]

_STEPS = ((86400.0 * 2, 86400.0, "day"), (3600.0 * 2, 3600.0, "hour"), (90.0, 60.0, "minute"), (0.0, 1.0, "second"))
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def moment(text: str) -> float:
    """POSIX seconds of an ISO time; 0 for an empty one."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def utc(seconds: float) -> str:
    """`2026-03-01 14:05 UTC`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def spell(seconds: float) -> str:
    """`3 minutes`: one unit, as exact as it matters."""
    seconds = max(0.0, seconds)
    size, unit = next((size, unit) for least, size, unit in _STEPS if seconds >= least)
    number = int(seconds / size)
    return f"{number} {unit}{'' if number == 1 else 's'}"


def ago(seconds: float, now: float) -> str:
    """`3 minutes ago`, `in 5 days`, `just now`."""
    if abs(now - seconds) < 2:
        return "just now"
    return f"{spell(now - seconds)} ago" if seconds < now else f"in {spell(seconds - now)}"


def printable(text: str) -> str:
    """Without what cannot be seen, or turns the writing round (threats T12): a name must look like what it is."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def said(text: str) -> Markup:
    """One of the bridge's sentences: with a capital, and what stands in backticks as code."""
    parts = printable(text[:1].upper() + text[1:]).split("`")
    if len(parts) % 2 == 0:
        return Markup("{}").format("`".join(parts))
    code, plain = Markup("<code>{}</code>"), Markup("{}")
    return Markup("").join((code if number % 2 else plain).format(part) for number, part in enumerate(parts))
