"""What programs made for Nextcloud find here: its addresses of files, and its uploads in chunks (decision 013)."""

from __future__ import annotations

from davbridge.dav.nextcloud.places import Places

__all__ = ["Places"]
