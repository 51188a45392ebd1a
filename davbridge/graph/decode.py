"""Graph's JSON into our values (facts: Graph §1.1, §2). Unknown members are ignored; missing ones have a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from davbridge.errors import BadUpstream
from davbridge.graph.model import Drive, DriveItem, DriveQuota, ItemRef, Site
from davbridge.redact import Secret

Json = Mapping[str, Any]
DOWNLOAD_URL = "@microsoft.graph.downloadUrl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def drive_item(json: Json, *, drive_id: str = "") -> DriveItem:
    """A driveItem; `drive_id` is used when the answer has no parentReference.

    Raises:
        BadUpstream: it has no id, or it is not of the form of an item.
    """
    try:
        return _drive_item(json, drive_id)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise BadUpstream("Graph described an item in a form that is none, or without an id") from None


def _drive_item(json: Json, drive_id: str) -> DriveItem:
    parent = json.get("parentReference") or {}
    shell: Json = json.get("remoteItem") or json
    kind = _kind(shell)
    created, modified = _times(shell if "fileSystemInfo" in shell else json, folder=kind != "file")
    facet = shell.get("file") or {}
    url = json.get(DOWNLOAD_URL)
    item_id = json["id"]
    if not item_id or not isinstance(item_id, str):
        raise ValueError("an id is a text")
    return DriveItem(
        id=item_id,
        drive_id=str(parent.get("driveId") or drive_id),
        parent_id=str(parent.get("id") or ""),
        name=_text(json.get("name") or ""),
        kind=kind,
        size=int(shell.get("size") or 0) if kind == "file" else 0,
        etag=str(json.get("eTag") or ""),
        ctag=str(json.get("cTag") or ""),
        created=created,
        modified=modified,
        mime_type=str(facet.get("mimeType") or ""),
        quick_xor_hash=str((facet.get("hashes") or {}).get("quickXorHash") or ""),
        deleted="deleted" in json,
        remote=_remote(json.get("remoteItem")),
        download_url=Secret(url) if url else None,
    )


def above(json: Json) -> tuple[str, ...] | None:
    """The names of the folders above an item: what follows the first colon of its parent's path (§1.3).

    Empty for an item in the root, and for the root; None where Graph does not tell.
    """
    if "root" in json:
        return ()
    _, colon, path = str((json.get("parentReference") or {}).get("path", "")).partition(":")
    return tuple(unquote(name) for name in path.split("/") if name) if colon else None


def _text(value: object) -> str:
    """A name as it can be stored and sent: Windows can make names with half of a surrogate pair."""
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _kind(json: Json) -> str:
    for facet in ("package", "folder", "root", "file"):
        if facet in json:
            return "folder" if facet == "root" else facet
    return "other"


def _remote(json: Json | None) -> ItemRef | None:
    if not json:
        return None
    drive_id = (json.get("parentReference") or {}).get("driveId")
    return ItemRef(str(drive_id), str(json.get("id", ""))) if drive_id else None


def _times(json: Json, *, folder: bool) -> tuple[datetime, datetime]:
    info = json.get("fileSystemInfo") or {}
    created = moment(info.get("createdDateTime") or json.get("createdDateTime"))
    modified = moment(info.get("lastModifiedDateTime") or json.get("lastModifiedDateTime"))
    if folder:
        # a folder's own fileSystemInfo stands still when something is put into it
        modified = max(modified, moment(json.get("lastModifiedDateTime")))
    return created, modified


def moment(value: object) -> datetime:
    """An ISO 8601 time, floored to whole seconds (§2.5: what holds everywhere); the epoch for none."""
    if not isinstance(value, str):
        return _EPOCH
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return _EPOCH
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC).replace(microsecond=0)


def iso(value: datetime) -> str:
    """A time for a request."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def drive(json: Json) -> Drive:
    """A drive. A quota of zeros, or with odd values, is no quota (§1.1)."""
    owner = json.get("owner") or {}
    person = owner.get("user") or owner.get("group") or {}
    return Drive(
        id=str(json.get("id", "")),
        kind=str(json.get("driveType", "")),
        name=str(json.get("name", "")),
        web_url=str(json.get("webUrl", "")),
        owner=str(person.get("displayName") or person.get("email") or ""),
        quota=_quota(json.get("quota") or {}),
        mail=str(person.get("email") or ""),
    )


def _quota(json: Json) -> DriveQuota | None:
    try:
        total, used, remaining = int(json["total"]), int(json["used"]), int(json["remaining"])
    except (KeyError, TypeError, ValueError):
        return None
    if total <= 0:
        return None
    return DriveQuota(max(used, 0), max(remaining, 0), total)


def site(json: Json) -> Site:
    """A site."""
    return Site(
        str(json.get("id", "")), str(json.get("displayName") or json.get("name", "")), str(json.get("webUrl", ""))
    )
