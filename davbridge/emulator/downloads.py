"""`/content` and the pre-authenticated URLs behind it (§2.7)."""

from __future__ import annotations

import mimetypes
import re
from urllib.parse import quote

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, not_modified
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.world import OFFICE, World


def redirect(world: World, target: Target, request: Request) -> Response:
    """302 to the pre-authenticated URL; never the bytes themselves."""
    drive, item = target.on(), target.item()
    if not item.is_file:
        raise bad_request("The item has no content")
    if item.malware:
        raise Problem(403, "malwareDetected", "The item is infected", headers={"X-Virus-Infected": item.malware})
    if "format" in request.query and not item.name.lower().endswith(OFFICE):
        raise Problem(406, "notSupported", "The item cannot be converted", inner="invalidAcceptType")
    if not_modified(request, drive.etag(item), drive.ctag(item)):
        return answer(request, 304)
    return answer(request, 302, None, Location=world.download_url(drive, item))


def download(world: World, place: list[str], request: Request) -> Response:
    """The bytes, from another host than Graph's; a bearer token there is refused."""
    if "authorization" in request.headers:
        raise Problem(401, "unauthenticated", "A pre-authenticated URL takes no Authorization header")
    drive = world.drive(place[0])
    item, version = drive.find(place[1]), "".join(place[2:])
    expires = int(request.query.get("e", "0"))
    if item is None or not item.is_file:
        raise not_found()
    if request.query.get("tempauth") != world.sign(drive, item, version, expires):
        raise Problem(401, "unauthenticated", "The signature is not valid")
    if expires < world.clock.now().timestamp():
        raise Problem(401 if drive.business else 403, "unauthenticated", "The URL has expired")
    with drive.lock:
        blob, etag = item.version(version).blob if version else item.blob, drive.etag(item)
    assert blob is not None
    quoted = etag if etag.startswith('"') else f'"{etag}"'
    headers = {
        "Content-Type": mimetypes.guess_type(item.name)[0] or "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": quoted,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(item.name)}",
    }
    start, end, status = 0, blob.size, 200
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    backwards = bool(wanted and wanted[2] and int(wanted[2]) < int(wanted[1]))
    if wanted and not backwards and not world.quirks.range_ignored:
        start = int(wanted[1])
        end = min(int(wanted[2]) + 1, blob.size) if wanted[2] else blob.size
        if start >= blob.size:
            return Response(416, {**headers, "Content-Range": f"bytes */{blob.size}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    return Response(status, headers, stream=blob.open(start), length=end - start)
