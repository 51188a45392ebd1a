"""Change tracking (§5.1): tokens, pages, tombstones, and 410 for a token that is too old."""

from __future__ import annotations

import re
from urllib.parse import unquote

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer
from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.items import PAGE, selection, shown
from davbridge.emulator.problems import Problem, bad_request
from davbridge.emulator.views import Json, tombstone_json
from davbridge.emulator.world import World


def delta(world: World, target: Target, request: Request) -> Response:
    drive, item = target.on(), target.item()
    if drive.business and item is not drive.root:
        raise Problem(400, "notSupported", "Delta is only available on the root")
    found = re.fullmatch(r"delta(?:\(token='([^']*)'\)|\(\))?", unquote(target.action))
    if not found:
        raise bad_request("API not found")
    token = found[1] or request.query.get("token", "")
    base = f"https://{request.headers.get('host', '')}/v1.0/drives/{drive.id}/root/delta"
    if token == "latest":  # noqa: S105 - Graph's word, no secret
        return answer(request, 200, {"value": [], "@odata.deltaLink": f"{base}?token={drive.sequence}.0"})
    since, offset = _read(token)
    if token and since < drive.oldest_token:
        headers = {"Location": base}
        raise Problem(410, "resyncRequired", "Resync required.", inner="resyncChangesApplyDifferences", headers=headers)
    top = min(int(request.query.get("$top", PAGE)), 1000)
    with drive.lock:
        changes = _changes(world, drive, since, request)
        newest = drive.sequence
    page = changes[offset : offset + top]
    body: Json = {"value": page}
    if offset + top < len(changes):
        body["@odata.nextLink"] = f"{base}?token={since}.{offset + top}"
    else:
        body["@odata.deltaLink"] = f"{base}?token={newest}.0"
    return answer(request, 200, body)


def _read(token: str) -> tuple[int, int]:
    if not token:
        return 0, 0
    found = re.fullmatch(r"(\d+)\.(\d+)", token)
    if not found:
        raise bad_request("The delta token is not valid")
    return int(found[1]), int(found[2])


def _changes(world: World, drive: Drive, since: int, request: Request) -> list[Json]:
    """Latest states, each changed item with its ancestors, without paths; then the tombstones."""
    wanted: dict[str, Item] = {}
    for item in drive.items.values():
        if item.changed <= since:
            continue
        chain: list[Item] = [item]
        while chain[-1].parent_id:
            chain.append(drive.items[chain[-1].parent_id])
        if request.headers.get("deltaexcludeparent") == "true":
            chain = chain[:1]
        for one in reversed(chain):
            wanted.setdefault(one.id, one)
    out = []
    for item in wanted.values():
        body = shown(world, drive, item, selection(request))
        if "parentReference" in body:
            body["parentReference"] = {key: value for key, value in body["parentReference"].items() if key != "path"}
        if drive.business:
            body.pop("cTag", None)
        out.append(body)
    if since:
        out += [tombstone_json(drive, gone) for gone in drive.tombstones if gone.changed > since]
    return out
