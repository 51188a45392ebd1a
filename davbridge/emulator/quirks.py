"""Switches for what the service does against its documentation (§12). All off, or at the usual value, to begin with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Quirks:
    """Set the fields from a test at any time."""

    office_rewrite: bool = False
    """SharePoint changes Office files right after an upload: bytes, size, hash, eTag and cTag (§12.1)."""
    office_rewrite_seconds: float = 0
    """How long after the answer it does so."""
    listing_lag: int = 0
    """A new item is missing from this many listings of its folder (§12.2)."""
    stale_seconds: float = 0
    """For so long after a creation, a rename, a move or a deletion listings and paths show the names before (§12.2)."""
    lookup_lag: int = 0
    """A new item is not found by path this many times; by id it is (§12.2)."""
    session_404_on_replace: bool = False
    """Creating a session on an existing Office file says itemNotFound once (§12.1, ISS 1068)."""
    session_placeholder: bool = False
    """An upload session for a new file shows an empty file in listings until it commits (§3.2)."""
    copy_seconds: float = 0.05
    """How long an asynchronous copy takes."""
    copy_without_resource: bool = False
    """The monitor of a completed copy does not name the new item (§4.4)."""
    copy_fails: str = ""
    """A code with which each copy fails, told by the monitor with status 200 (§4.4)."""
    range_ignored: bool = False
    """Downloads answer 200 with the whole file to a Range (§2.7)."""
    delete_refuses_if_match: bool = True
    """If-Match on DELETE always fails with 412 (§4.3, OBS)."""
    if_match_on_session_breaks: bool = True
    """A session opened with If-Match ends in 412 on SharePoint, since opening it bumps the eTag (§3.2, ISS 1716)."""
    short_pages: bool = False
    """Pages may be shorter than asked for, even empty, with a nextLink (§2.6)."""
    delta_backwards: bool = False
    """Delta enumerates the last changes first, so that children and tombstones come before parents (§5.1)."""
    socket_ping_seconds: float = 25.0
    """How often a notification channel pings (§5.3)."""
    short_drive_ids: bool = False
    """Personal drives tell their ids in lower case and without a leading zero where items refer to them (§12.3)."""
    no_quota: bool = False
    """Drives tell a quota of zeros (§1.1)."""
    patch_without_body: bool = False
    """PATCH answers 204 (§12.9)."""
    resource_units_per_minute: int = 0
    """Throttle an application above this many resource units a minute (§8); 0: never."""
