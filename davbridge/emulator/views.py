"""Items and drives as JSON (§2.3), each profile with its own omissions."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from davbridge.emulator.clock import text
from davbridge.emulator.drives import Drive, Item, Tombstone
from davbridge.emulator.world import USER_ID

Json = dict[str, Any]
DOWNLOAD_URL = "@microsoft.graph.downloadUrl"


def item_json(
    drive: Drive,
    item: Item,
    download_url: Callable[[Item], str] | None,
    select: set[str] | None = None,
    remote: Json | None = None,
) -> Json:
    """A driveItem. `select` keeps only what was asked for; `publication` and the like come only when asked (§2.1)."""
    precise = not drive.business
    identity = {"user": {"displayName": drive.owner.split("@")[0], "id": USER_ID}}
    if drive.business:
        identity["user"]["email"] = drive.owner
    out: Json = {
        "id": item.id,
        "name": item.name,
        "eTag": drive.etag(item),
        "createdDateTime": text(item.created, milliseconds=precise),
        "lastModifiedDateTime": text(item.modified, milliseconds=precise),
        "createdBy": identity,
        "lastModifiedBy": identity,
        "webUrl": f"{drive.web_url}/{'/'.join(quote(name) for name in drive.path_of(item))}",
        "fileSystemInfo": {
            "createdDateTime": text(item.fs_created, milliseconds=precise),
            "lastModifiedDateTime": text(item.fs_modified, milliseconds=precise),
        },
        "parentReference": _parent(drive, item),
    }
    if ctag := drive.ctag(item):
        out["cTag"] = ctag
    if item is drive.root:
        out["root"] = {}
    if item.package:
        out["package"] = {"type": item.package}
        out["size"] = 4096
    elif item.blob is not None:
        out["size"] = item.size
        hashes = {"quickXorHash": item.blob.quick_xor_hash} if item.blob.quick_xor_hash else {}
        mime = mimetypes.guess_type(item.name)[0] or "application/octet-stream"
        out["file"] = {"mimeType": mime, "hashes": hashes} if hashes else {"mimeType": mime}
        if download_url is not None:
            out[DOWNLOAD_URL] = download_url(item)
    elif item.remote is not None:
        out["remoteItem"] = remote
    else:
        out["size"] = drive.weight(item)
        out["folder"] = {"childCount": drive.child_count(item)}
    if item.malware:
        out["malware"] = {"description": item.malware}
        out.pop(DOWNLOAD_URL, None)
    if item.placeholder:
        out["pendingOperations"] = {"pendingContentUpdate": {"queuedDateTime": text(item.modified)}}
    if select and "publication" in select:
        by = {"checkedOutBy": {"user": {"email": item.checked_out_by}}} if item.checked_out_by else {}
        out["publication"] = {
            "level": "checkout" if by else "published",
            "versionId": f"{len(item.versions) + 1}.0",
            **by,
        }
    if select and "sharepointIds" in select and drive.business:
        out["sharepointIds"] = {"listItemUniqueId": item.guid, "siteId": drive.site_id}
    if drive.business:
        out["webDavUrl"] = out["webUrl"]
    return _selected(out, select)


def _parent(drive: Drive, item: Item) -> Json:
    kind = "personal" if not drive.business else drive.profile
    out: Json = {"driveType": kind, "driveId": drive.id}
    if item is not drive.root:
        parent = drive.parent_of(item)
        path = "/".join(quote(name) for name in drive.path_of(parent))
        out |= {
            "id": parent.id,
            "name": parent.name,
            "path": f"/drives/{drive.id}/root:" + (f"/{path}" if path else ""),
        }
    if drive.site_id:
        out["siteId"] = drive.site_id
    return out


def _selected(out: Json, select: set[str] | None) -> Json:
    if not select:
        return {name: value for name, value in out.items() if name != "webDavUrl"}
    wanted = {name.lower() for name in select}
    # the annotation is asked for by its full name, or by that of the direct endpoints (§2.6)
    if "content.downloadurl" in wanted:
        wanted.add(DOWNLOAD_URL.lower())
    wanted |= {"id"} if "id" in wanted else set()
    return {name: value for name, value in out.items() if name.lower() in wanted}


def tombstone_json(drive: Drive, gone: Tombstone) -> Json:
    """A deleted item in delta: business leaves out the name, personal the size and cTag (§5.1)."""
    out: Json = {"id": gone.id, "deleted": {"state": "deleted"}}
    out["parentReference"] = {"driveId": drive.id, "id": gone.parent_id}
    out["file" if gone.was_file else "folder"] = {}
    if not drive.business:
        out["name"] = gone.name
    return out


def _state(used: int, total: int) -> str:
    left = (total - used) / total if total else 0
    return "normal" if left > 0.1 else "nearing" if left > 0.01 else "critical" if left > 0 else "exceeded"


def drive_json(drive: Drive, *, no_quota: bool) -> Json:
    """A drive with its quota (§1.1)."""
    used = drive.used
    quota = (
        {"total": 0, "used": 0, "remaining": 0, "deleted": 0}
        if no_quota
        else {
            "total": drive.total,
            "used": used,
            "remaining": drive.total - used,
            "deleted": 0,
            "state": _state(used, drive.total),
        }
    )
    return {
        "id": drive.id,
        "driveType": "personal" if not drive.business else drive.profile,
        "name": drive.name,
        "webUrl": drive.web_url,
        "owner": {"user": {"displayName": drive.owner.split("@")[0], "email": drive.owner}},
        "quota": quota,
    }
