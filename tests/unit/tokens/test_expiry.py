"""How the end of a secret or a certificate is told."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from davbridge.tokens.expiry import Expiry

END = datetime.combine(datetime(2026, 12, 20, tzinfo=UTC).date(), time.max, UTC)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ((2026, 11, 25, 8), "expires on 2026-12-20, in 25 days: mend"),
        ((2026, 12, 18, 23), "expires on 2026-12-20, in 2 days: mend"),
        ((2026, 12, 19, 1), "expires on 2026-12-20, tomorrow: mend"),
        ((2026, 12, 20, 12), "expires on 2026-12-20, today: mend"),
        ((2026, 12, 21, 0), "expired on 2026-12-20: mend"),
    ],
)
def test_days_are_those_of_the_calendar(now: tuple[int, int, int, int], words: str) -> None:
    """The number is the one that people count from the date beside it."""
    assert Expiry("the secret", END, "mend").sentence(datetime(*now, tzinfo=UTC)) == f"the secret {words}"
