"""Dates as HTTP and WebDAV write them, and as clients really send them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_OLDEST = datetime(1971, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TWO = tuple(f"{number:02}" for number in range(60))
_MOST_DAYS = 20_000


class _Days(dict[int, tuple[str, str]]):
    """The date's part of both forms, by its ordinal: a listing has two dates an item, and few days."""

    def __missing__(self, ordinal: int) -> tuple[str, str]:
        if len(self) >= _MOST_DAYS:
            self.clear()
        day = date.fromordinal(ordinal)
        http = f"{_WEEKDAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month]} {day.year:04} "
        self[ordinal] = parts = http, f"{day.isoformat()}T"
        return parts


_days = _Days()


def http_date(moment: datetime) -> str:
    """RFC 9110 §5.6.7: `Tue, 03 Mar 2026 09:10:11 GMT`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{_days[moment.toordinal()][0]}{_TWO[moment.hour]}:{_TWO[moment.minute]}:{_TWO[moment.second]} GMT"


def iso_date(moment: datetime) -> str:
    """RFC 3339 in UTC without a fraction: what Windows parses in creationdate."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{_days[moment.toordinal()][1]}{_TWO[moment.hour]}:{_TWO[moment.minute]}:{_TWO[moment.second]}Z"


def parse_date(text: str) -> datetime | None:
    """An HTTP date (WinSCP does not pad the day), an ISO date, or POSIX seconds (rclone); None for anything else.

    Dates before 1971 are None: Explorer and rclone send zero or 1601 for "unknown".
    """
    text = text.strip()
    moment = _http(text) or _iso(text) or _posix(text)
    return moment if moment is not None and moment > _OLDEST else None


def _http(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _posix(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(float(text)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
