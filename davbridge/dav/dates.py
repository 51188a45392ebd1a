"""Dates as HTTP and WebDAV write them, and as clients really send them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_OLDEST = datetime(1971, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(moment: datetime) -> str:
    """RFC 9110 §5.6.7: `Tue, 03 Mar 2026 09:10:11 GMT`."""
    moment = moment.astimezone(UTC)
    iso = moment.isoformat()  # cut into pieces: a listing has one date an item, and formatting each field is slow
    return f"{_DAYS[moment.weekday()]}, {iso[8:10]} {_MONTHS[moment.month]} {iso[:4]} {iso[11:19]} GMT"


def iso_date(moment: datetime) -> str:
    """RFC 3339 in UTC without a fraction: what Windows parses in creationdate."""
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


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
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _posix(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(float(text)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
