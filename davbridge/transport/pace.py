"""Slowing down before we are throttled: what is left of the budget is spread over the time until it is renewed.

Graph announces its budget when four fifths of it are used (facts: Graph §8.1). A pace is a value: it says when the next
request may leave, and what follows from that; the gates keep it, for all that talk to the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

_UNITS = 2.0
"""Resource units of a request: most cost one or two (facts: Graph §8.2)."""
_RESERVE = 0.05
"""Of the limit: for requests that are on their way, and for those that cost more."""
_WINDOW = 60.0
"""Seconds that the limit is for (facts: Graph §8.3)."""
_AFTER = 10.0
"""Seconds after the renewal in which a pace is kept, unless an answer announces nothing any more."""
_LONGEST = 300.0


@dataclass(frozen=True)
class Budget:
    """`RateLimit-Limit` and `-Remaining` in resource units, `-Reset` in seconds.

    Source: IETF draft-ietf-httpapi-ratelimit-headers-03, which is what Graph sends.
    """

    limit: float
    remaining: float
    reset: float

    @classmethod
    def told(cls, headers: Mapping[str, str]) -> Budget | None:
        """What an answer says; names are lower case. None when it says nothing, or nothing of sense."""
        # the limit may be followed by the quotas of several windows: `100, 100;w=60`
        names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        texts = [headers.get(name, "").partition(",")[0].partition(";")[0].strip() for name in names]
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts):
            return None
        limit, remaining, reset = map(float, texts)
        return cls(limit, remaining, min(max(reset, 1.0), _LONGEST)) if limit else None


@dataclass(frozen=True)
class Pace:
    """All times in seconds of one clock. `interval` lies between requests until `until`, and `rest` afterwards.

    `start`: when the first may leave; `last`: when one has left. `used_up`: nothing is left, so that what comes after
    `until` is a probe, and the next one waits for what its answer tells.
    """

    since: float
    until: float
    interval: float
    rest: float
    start: float
    last: float
    used_up: bool

    @classmethod
    def of(cls, budget: Budget, now: float, former: Pace | None) -> Pace:
        """The pace for what is left, after a `former` one."""
        calls = (budget.remaining - _RESERVE * budget.limit) / _UNITS
        rest = min(_WINDOW * _UNITS / budget.limit, _WINDOW)
        last = former.last if former is not None else 0.0
        if calls >= 1:
            return cls(now, now + budget.reset, max(budget.reset / calls, rest), rest, now, last, used_up=False)
        wait = budget.reset
        until = now + wait
        if former is not None and former.used_up:
            # the probe brings the same news when the minute slides, and is not renewed at once
            wait = max(wait, former.interval if now < former.until else min(2 * former.interval, _WINDOW))
            until = max(until, last + wait)
        return cls(now, until, wait, rest, until, last, used_up=True)

    def wait(self, now: float) -> float:
        """Seconds until a request may leave."""
        return max(0.0, self._next - now) if self.is_kept(now) else 0.0

    def is_kept(self, now: float) -> bool:
        return now < max(self.until + _AFTER, self._next)

    def is_over(self, now: float) -> bool:
        """Whether an answer that announces nothing, at this time, means that there is enough again."""
        return now >= self.until

    def taken(self, now: float) -> Pace:
        """A request leaves now."""
        return replace(self, last=now)

    @property
    def _next(self) -> float:
        following = self.last + self.interval
        if following > self.until and not self.used_up:
            following = max(self.until, self.last + self.rest)
        return max(self.start, following)
