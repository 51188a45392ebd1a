"""Former contents (§4.6)."""

from __future__ import annotations

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, context
from davbridge.emulator.clock import text
from davbridge.emulator.drives import Drive
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import bad_request, not_found
from davbridge.emulator.records import Item
from davbridge.emulator.views import Json
from davbridge.emulator.world import World


def versions(world: World, target: Target, request: Request) -> Response:
    """`versions`, `versions/{id}`, its `content` and `restoreVersion`."""
    drive, item = target.on(), target.item()
    _, *rest = target.action.split("/")
    current = f"{len(item.versions) + 1}.0"
    every = [_json(drive, current, item.size, text(item.modified))]
    every += [_json(drive, one.id, one.blob.size, text(one.modified)) for one in item.versions]
    if not item.is_file:
        raise bad_request("The item has no versions")
    if not rest and request.method == "GET":
        return answer(request, 200, {**context(request, "Collection(driveItemVersion)"), "value": every})
    if not rest:
        raise bad_request("API not found")
    match request.method, rest[1:]:
        case "GET", []:
            found = next((one for one in every if one["id"] == rest[0]), None)
            if found is None:
                raise not_found()
            return answer(request, 200, context(request, "driveItemVersion/$entity") | found)
        case _ if rest[0] == current:
            raise bad_request("The operation is not available for the current version")
        case "GET", ["content"]:
            return answer(request, 302, None, Location=_download_url(world, drive, item, rest[0]))
        case "POST", ["restoreVersion"]:
            drive.replace(item, item.version(rest[0]).blob)
            return answer(request, 204)
        case "DELETE", [] if drive.business:
            drive.check_writable(item)
            item.versions.remove(item.version(rest[0]))
            return answer(request, 204)
    raise bad_request("API not found")


def _download_url(world: World, drive: Drive, item: Item, version: str) -> str:
    item.version(version)
    return world.download_url(drive, item, version)


def _json(drive: Drive, version: str, size: int, modified: str) -> Json:
    return {
        "id": version,
        "size": size,
        "lastModifiedDateTime": modified,
        "lastModifiedBy": {"user": {"displayName": drive.owner.split("@")[0]}},
    }
