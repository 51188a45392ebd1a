"""The If header, dates, ranges of dates: what is read and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.dav.conditions import Condition, ConditionList, parse_if
from davbridge.dav.dates import http_date, iso_date, parse_date
from davbridge.dav.refusal import Refusal

MOMENT = datetime(2026, 3, 3, 9, 10, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("(<a>)", [ConditionList("", (Condition(False, token="a"),))]),
        ('(<a> ["e"])', [ConditionList("", (Condition(False, token="a"), Condition(False, etag="e")))]),
        ("(Not <a>)", [ConditionList("", (Condition(True, token="a"),))]),
        (
            "<http://h/p> (<a>) (<b>)",
            [ConditionList("http://h/p", (Condition(False, token=t),)) for t in ("a", "b")],
        ),
        ("</p>(<a>)</q>(<b>)", [ConditionList(t, (Condition(False, token=u),)) for t, u in (("/p", "a"), ("/q", "b"))]),
        ('([W/"e"])', [ConditionList("", (Condition(False, etag='W/"e"'),))]),
    ],
)
def test_if_forms(header: str, expected: list[ConditionList]) -> None:
    """Tagged and untagged lists, negation, tokens and entity tags (RFC 4918 §10.4.2)."""
    assert parse_if(header) == expected


@pytest.mark.parametrize("header", ["", "x", "(", "()", "(<a>", "<a>", "(Not)", "(<a>) x", "((<a>))", "<p> <q> ()"])
def test_malformed_if(header: str) -> None:
    """400, and no guess."""
    with pytest.raises(Refusal) as refused:
        parse_if(header)
    assert refused.value.status == 400


@given(st.text(alphabet='()<>[]" Nota/', max_size=30))
def test_if_never_breaks(header: str) -> None:
    """Anything is either read or refused."""
    try:
        assert parse_if(header)
    except Refusal as refused:
        assert refused.status == 400


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 03 Mar 2026 09:10:11 GMT",
        "Tue, 3 Mar 2026 09:10:11 GMT",
        "2026-03-03T09:10:11Z",
        "2026-03-03T10:10:11+01:00",
        "1772529011",
        "1772529011.75",
    ],
)
def test_dates(text: str) -> None:
    """HTTP dates, padded or not, ISO dates and POSIX seconds."""
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "1601-01-01T00:00:00Z", "9" * 30])
def test_no_dates(text: str) -> None:
    """What clients send for "unknown", and nonsense."""
    assert parse_date(text) is None


@given(st.datetimes(min_value=datetime(1972, 1, 1), max_value=datetime(2200, 1, 1)))
def test_dates_round_trip(naive: datetime) -> None:
    """What we write we read."""
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    assert parse_date(http_date(moment)) == moment
    assert parse_date(iso_date(moment)) == moment
