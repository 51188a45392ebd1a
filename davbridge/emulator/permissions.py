"""Sharing links and permissions of items (§4.7). They let nobody in here: the emulator has one user."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, context, read_json
from davbridge.emulator.drives import Drive
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import bad_request, not_found
from davbridge.emulator.records import Item
from davbridge.emulator.views import Json
from davbridge.emulator.world import USER_ID, World

_ONLY = {"embed": False, "organization": True}
"""What business drives have alone (True), or personal ones."""


def create_link(world: World, target: Target, request: Request) -> Response:
    """201 for a new link, 200 for one that there is already."""
    drive, item = target.on(), target.item()
    body = read_json(request)
    kind = body.get("type")
    scope = body.get("scope", "organization" if drive.business else "anonymous")
    if kind not in ("view", "edit", "embed") or scope not in ("anonymous", "organization", "users"):
        raise bad_request("The link is not known")
    if any(_ONLY.get(word, drive.business) != drive.business for word in (kind, scope)):
        raise bad_request("The drive does not support this link", inner="notSupported")
    drive.own(item)
    for known in item.permissions:
        if (known["link"]["type"], known["link"]["scope"]) == (kind, scope):
            return answer(request, 200, context(request, "permission/$entity") | known)
    url = _link(drive, item)
    made = {
        "id": secrets.token_urlsafe(12),
        "roles": ["write" if kind == "edit" else "read"],
        "shareId": f"u!{base64.urlsafe_b64encode(url.encode()).decode().rstrip('=')}",
        "link": {"type": kind, "scope": scope, "webUrl": url},
    }
    item.permissions.append(made)
    return answer(request, 201, context(request, "permission/$entity") | made)


def permissions(world: World, target: Target, request: Request) -> Response:
    """`permissions` and `permissions/{id}`: the owner's, and the links."""
    drive, item = target.on(), target.item()
    every = [_owner(drive, item), *item.permissions]
    _, *rest = target.action.split("/")
    if not rest and request.method == "GET":
        return answer(request, 200, {**context(request, "Collection(permission)"), "value": every})
    found = next((one for one in every if rest == [one["id"]]), None)
    if found is None:
        raise not_found()
    if request.method == "GET":
        return answer(request, 200, context(request, "permission/$entity") | found)
    if request.method == "DELETE" and found in item.permissions:
        item.permissions.remove(found)
        return answer(request, 204)
    raise bad_request("API not found")


def _link(drive: Drive, item: Item) -> str:
    """As each kind of drive makes them: nothing of the item's place is in it."""
    word, form = secrets.token_urlsafe(24), "f" if item.is_folder else "u"
    if not drive.business:
        return f"https://1drv.ms/{form}/s!A{word}"
    parts = urlsplit(drive.web_url)
    managed, name = parts.path.split("/")[1:3]
    if managed == "personal":
        return f"{parts.scheme}://{parts.netloc}/:{form}:/g/personal/{name}/E{word}"
    return f"{parts.scheme}://{parts.netloc}/:{form}:/{managed[0]}/{name}/E{word}"


def _owner(drive: Drive, item: Item) -> Json:
    user = {"user": {"id": USER_ID, "displayName": drive.owner.split("@")[0], "email": drive.owner}}
    out: Json = {"id": item.guid, "roles": ["owner"], "grantedToV2": user}
    return out if drive.business else out | {"grantedTo": user}
