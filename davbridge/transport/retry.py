"""When to try again: an immutable policy that decides, while the transport does the waiting."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

THROTTLED = frozenset({429, 503, 509})
UNAVAILABLE = 503
_FAILED = frozenset({500, 502, 504, 408})
_LONGEST_PAUSE = 3600.0


@dataclass(frozen=True)
class Again:
    """Try again after `pause` seconds; `shared` pauses all threads that talk to the host."""

    pause: float
    shared: bool = False


@dataclass(frozen=True)
class RetryPolicy:
    """At most `tries` tries; pauses grow from `first` seconds, doubled each time, with jitter, up to `longest`."""

    tries: int = 5
    first: float = 0.5
    longest: float = 16.0
    jitter: float = 0.2

    def after_status(
        self, number: int, status: int, headers: Mapping[str, str], *, safe: bool, now: datetime
    ) -> Again | None:
        """What to do after answer `status` to try `number` (from 1); None: hand the answer up.

        Throttled calls were not carried out, so they are repeated even when they are not `safe`; a 5xx may hide a
        success (facts: Graph §7.2).
        """
        if status in THROTTLED:
            told = retry_after(headers, now)
            if told is None and number >= self.tries:
                return None
            # "0 seconds" again and again would be hammering, which prolongs the pause (facts: Graph §8.1)
            return Again(max(told, self.first) if told is not None else self._backoff(number), shared=True)
        if status in _FAILED and safe and number < self.tries:
            return Again(self._backoff(number))
        return None

    def after_break(self, number: int, *, safe: bool, sent: bool) -> Again | None:
        """What to do when the connection broke; `sent` false: nothing can have reached the server."""
        if number < self.tries and (safe or not sent):
            return Again(self._backoff(number))
        return None

    def _backoff(self, number: int) -> float:
        pause = min(self.first * 2.0 ** (number - 1), self.longest)
        return pause * (1 + random.uniform(-self.jitter, self.jitter))  # noqa: S311 - spreads load, guards nothing


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks for: the greater of Retry-After and RateLimit-Reset (facts: Graph §8.1)."""
    told = [_seconds(headers.get("retry-after", ""), now)]
    if headers.get("ratelimit-remaining", "") == "0":
        told.append(_seconds(headers.get("ratelimit-reset", ""), now))
    known = [seconds for seconds in told if seconds is not None]
    return max(known) if known else None


def _seconds(value: str, now: datetime) -> float | None:
    try:
        return min(max(float(value), 0.0), _LONGEST_PAUSE)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_PAUSE)
