"""Dates as HTTP and WebDAV write them, and as clients really send them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

_OLDEST = datetime(1971, 1, 1, tzinfo=UTC)


def http_date(moment: datetime) -> str:
    """RFC 9110 §5.6.7: `Tue, 03 Mar 2026 09:10:11 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def iso_date(moment: datetime) -> str:
    """RFC 3339 in UTC without a fraction: what Windows parses in creationdate."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
