"""Secrets and certificates that end on a known day: told 30, 7 and 1 days before, and when it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from davbridge.errors import ConfigError
from davbridge.tokens.methods import certificate
from davbridge.tokens.settings import AccountSettings, CertificateFiles

DAYS = (0, 1, 7, 30)
"""When to warn, the nearest first."""


@dataclass(frozen=True)
class Expiry:
    """`what` ends at `ends`; `mend` says what to do."""

    what: str
    ends: datetime
    mend: str

    def level(self, now: datetime) -> int | None:
        """The least of `DAYS` that is not less than the time left; None while there is more."""
        return next((days for days in DAYS if self.ends - now <= timedelta(days=days)), None)

    def sentence(self, now: datetime) -> str:
        if self.ends <= now:
            return f"{self.what} expired on {self.ends:%Y-%m-%d}: {self.mend}"
        days = (self.ends.date() - now.date()).days  # as people count them from the date beside it
        when = ("today", "tomorrow")[days] if days < 2 else f"in {days} days"
        return f"{self.what} expires on {self.ends:%Y-%m-%d}, {when}: {self.mend}"


def expiry(settings: AccountSettings) -> Expiry | None:
    """What of an account ends on a known day; None where nothing does, or nobody has said when."""
    if settings.method == "client_secret" and settings.secret_expires is not None:
        mend = (
            "make a new one in the app registration, put its Value where `client_secret` points, set `secret_expires`"
        )
        # the day itself is still good, somewhere
        return Expiry("the client secret", datetime.combine(settings.secret_expires, time.max, UTC), mend)
    if settings.method == "certificate" and settings.certificate is not None:
        try:
            at = settings.certificate.file.stat()
            ends = _ends(settings.certificate, (at.st_ino, at.st_size, at.st_mtime_ns))
        except (ConfigError, OSError):
            return None  # whoever signs in is told
        mend = "upload a new one to the app registration, then replace the file"
        return Expiry("the certificate", ends, mend) if ends else None
    return None


@lru_cache(32)
def _ends(files: CertificateFiles, version: tuple[int, int, int]) -> datetime | None:
    """Read once for each version of the file: every look at `/metrics` asks, and a key takes 40 ms to load.

    Raises:
        ConfigError: as `certificate.read`; nothing is remembered then.
    """
    return certificate.read(files).ends
