"""Item operations: read, list, create folders, update, delete, copy, versions, checkout, search (§2.6, §4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, check_match, context, entity, not_modified, read_json, read_times
from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.staleness import Stale
from davbridge.emulator.views import Json, item_json
from davbridge.emulator.world import World

_NOT_INDEXED = ("createdBy", "lastModifiedBy", "parentReference")
PAGE, LARGEST_PAGE = 200, 1000


def selection(request: Request) -> set[str] | None:
    """The names of `$select`; None for everything."""
    raw = request.query.get("$select", "")
    return {name.strip() for name in raw.split(",") if name.strip()} or None


def shown(world: World, drive: Drive, item: Item, select: set[str] | None) -> Json:
    """An item's JSON with its download URL, unless `$select` leaves that out."""

    def link(file: Item) -> str:
        return world.download_url(drive, file)

    body = item_json(drive, item, link, select, _remote(world, item))
    if world.quirks.short_drive_ids and not drive.business and "parentReference" in body:
        body["parentReference"]["driveId"] = drive.id.lower().lstrip("0")
    return body


def _remote(world: World, item: Item) -> Json | None:
    """What a shortcut tells of its target; None for anything else."""
    if item.remote is None:
        return None
    drive = world.drive(item.remote[0])
    target = drive.find(item.remote[1])
    if target is None:
        return {"id": item.remote[1], "parentReference": {"driveId": drive.id}}
    known = item_json(drive, target, None)
    kept = ("id", "name", "size", "file", "folder", "fileSystemInfo", "parentReference", "webUrl")
    return {name: known[name] for name in kept if name in known}


def with_shortcuts(request: Request) -> bool:
    """Whether the client asks for shortcuts, which are left out otherwise (§2.9)."""
    return "include-feature=addtoonedrive" in request.headers.get("prefer", "").lower()


def get_item(world: World, target: Target, request: Request) -> Response:
    drive, item = target.on(), target.item()
    if not_modified(request, drive.etag(item), drive.ctag(item)):
        return answer(request, 304)
    body = shown(world, drive, item, selection(request))
    expand = request.query.get("$expand", "")
    if expand.startswith("children") and not item.is_file:
        inner = expand.partition("(")[2].rstrip(")")
        select = {name.strip() for name in inner.partition("$select=")[2].split(";")[0].split(",") if name.strip()}
        values, following = _page(
            world, drive, item, PAGE, "", select or None, Order(drive.fold), with_shortcuts(request)
        )
        body["children"] = values
        if following:
            suffix = f"&$select={','.join(sorted(select))}" if select else ""
            base = f"{_origin(request)}/v1.0/drives/{drive.id}/items/{item.id}/children"
            body["children@odata.nextLink"] = f"{base}?$skiptoken={following}{suffix}"
    elif expand and not expand.startswith(("children", "listItem", "thumbnails", "permissions")):
        raise bad_request("The $expand is not supported", inner="invalidQueryOption")
    return answer(request, 200, entity(request, drive.id, body))


def list_children(world: World, target: Target, request: Request) -> Response:
    drive, item = target.on(), target.item()
    if item.is_file or item.remote is not None:
        raise bad_request("The item has no children")
    query = request.query
    if "$skip" in query or "$filter" in query:
        raise Problem(400, "invalidRequest", "The query option is not supported", inner="notSupported")
    order = _order(drive, query.get("$orderby", "name"))
    try:
        top = int(query.get("$top", PAGE))
    except ValueError:
        raise bad_request("$top must be a number", inner="invalidQueryOption") from None
    if top < 1:
        raise bad_request("$top must be positive", inner="invalidQueryOption")
    top = min(top, LARGEST_PAGE)
    values, following = _page(
        world, drive, item, top, query.get("$skiptoken", ""), selection(request), order, with_shortcuts(request)
    )
    place = f"drives('{quote(drive.id, safe='')}')/items('{quote(item.id, safe='')}')/children"
    body: Json = {**context(request, place), "value": values, "@odata.count": drive.child_count(item)}
    if following:
        kept = "".join(f"&{name}={quote(query[name])}" for name in ("$top", "$select", "$orderby") if name in query)
        base = f"{_origin(request)}/v1.0/drives/{drive.id}/items/{item.id}/children"
        body["@odata.nextLink"] = f"{base}?$skiptoken={following}{kept}"
    return answer(request, 200, body)


@dataclass(frozen=True)
class Order:
    """What a listing is sorted by."""

    fold: Callable[[str], str]
    column: str = "name"
    descending: bool = False

    def key(self, item: Item) -> tuple[int, str]:
        """The name settles what is equal."""
        value = item.size if self.column == "size" else 0
        if self.column == "lastModifiedDateTime":
            value = int(item.modified.timestamp() * 1000)
        return value, self.fold(item.name)


def _order(drive: Drive, wanted: str) -> Order:
    """Read `$orderby`; which columns there are depends on the kind of drive (§2.6)."""
    column, _, direction = wanted.partition(" ")
    known = ("name", "url") if drive.business else ("name", "size", "lastModifiedDateTime")
    if column not in known or direction not in ("", "asc", "desc"):
        raise Problem(400, "notSupported", "The sort column is not supported")
    return Order(drive.fold, column, direction == "desc")


def _page(
    world: World,
    drive: Drive,
    folder: Item,
    top: int,
    token: str,
    select: set[str] | None,
    order: Order,
    shortcuts: bool,
) -> tuple[list[Json], str]:
    """A page of children after `token`. It is no snapshot: it goes on after an item, whatever has happened since."""
    after = _after(token) if token else None
    with drive.lock:
        rest = list(islice(_rest(drive, folder, order, after), top + 1))
        if world.quirks.short_pages and not token and rest:
            # an empty page that is not the last one (§2.6)
            return [], base64.urlsafe_b64encode(b"[]").decode()
        page = rest[:top]
        stale = Stale(drive, world.quirks.stale_seconds)
        visible = [] if after is not None else list(stale.gone(folder))
        for child in stale.children(page):
            if child.lag > 0:
                child.lag -= 1
            elif shortcuts or child.remote is None:
                visible.append(child)
        values = [shown(world, drive, child, select) for child in visible]
    last = json.dumps(order.key(page[-1])).encode() if len(rest) > top else b""
    return values, base64.urlsafe_b64encode(last).decode()


def _after(token: str) -> tuple[int, str] | None:
    """The sort key in a `$skiptoken`; None for the start."""
    try:
        read = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        return (int(read[0]), str(read[1])) if read else None
    except (ValueError, TypeError, IndexError, KeyError):
        raise bad_request("Invalid paging token") from None


def _rest(drive: Drive, folder: Item, order: Order, after: tuple[int, str] | None) -> Iterator[Item]:
    if order.column in ("name", "url") and not order.descending:
        yield from drive.listed_by_name(folder, after[1] if after else "")
        return
    for child in sorted(drive.listed(folder), key=order.key, reverse=order.descending):
        if after is None or (order.key(child) < after if order.descending else order.key(child) > after):
            yield child


def _origin(request: Request) -> str:
    return f"https://{request.headers.get('host', 'localhost')}"


def conflict_of(body: dict[str, Any], request: Request, default: str) -> str:
    """conflictBehavior from the body or the query."""
    name = "@microsoft.graph.conflictBehavior"
    value = body.get(name) or request.query.get(name) or default
    if value not in ("fail", "replace", "rename"):
        raise bad_request("The conflictBehavior is not known")
    return str(value)


def create_child(world: World, target: Target, request: Request) -> Response:
    drive, parent = target.on(), target.item()
    body = read_json(request)
    if "remoteItem" in body:
        return _create_shortcut(world, drive, parent, body, request)
    if "folder" not in body or not isinstance(body.get("name"), str):
        raise bad_request("Only folders can be created here")
    item = drive.make_folder(parent, body["name"], conflict_of(body, request, "fail"))  # type: ignore[arg-type]
    created, modified = read_times(body)
    if not drive.business:
        # business drives take a folder's times only from a later PATCH (§4.1, §12.9)
        item.fs_created, item.fs_modified = created or item.fs_created, modified or item.fs_modified
    item.lag = world.quirks.listing_lag
    item.hidden = world.quirks.lookup_lag
    return answer(request, 201, entity(request, drive.id, shown(world, drive, item, None)))


def _create_shortcut(world: World, drive: Drive, parent: Item, body: dict[str, Any], request: Request) -> Response:
    if parent is not drive.root:
        raise bad_request("Shortcuts can only be added to the root")
    there = world.drive(body["remoteItem"]["parentReference"]["driveId"])
    item = drive.make_shortcut(str(body["name"]), there.id, there.get(body["remoteItem"]["id"]))
    return answer(request, 201, entity(request, drive.id, shown(world, drive, item, None)))


def update_item(world: World, target: Target, request: Request) -> Response:
    drive, item = target.on(), target.item()
    body = read_json(request)
    check_match(request, drive.etag(item), drive.ctag(item))
    parent = new_parent(world, drive, body.get("parentReference"))
    name = body.get("name")
    if name is not None and not isinstance(name, str):
        raise bad_request("The name must be a string")
    created, modified = read_times(body)
    conflict = conflict_of(body, request, "fail")
    drive.update(item, name=name, parent=parent, fs_created=created, fs_modified=modified, conflict=conflict)  # type: ignore[arg-type]
    if world.quirks.patch_without_body or request.headers.get("prefer", "").lower() == "return=minimal":
        return answer(request, 204)
    return answer(request, 200, entity(request, drive.id, shown(world, drive, item, selection(request))))


def new_parent(world: World, drive: Drive, reference: dict[str, Any] | None) -> Item | None:
    """The folder of a `parentReference`; None when there is none."""
    if not reference:
        return None
    if (other := reference.get("driveId")) and world.drive(other) is not drive:
        raise Problem(400, "notSupported", "Items cannot be moved between drives")
    if (parent_id := reference.get("id")) is not None:
        # the literal `root` is not accepted (§4.2)
        parent = drive.find(parent_id)
        if parent is None:
            raise not_found()
        return parent
    path = reference.get("path", "")
    names = [unquote(name) for name in path.partition(":")[2].split("/") if name]
    return drive.descend(drive.root, names)


def delete_item(world: World, target: Target, request: Request) -> Response:
    drive, item = target.on(), target.item()
    if "if-match" in request.headers:
        if world.quirks.delete_refuses_if_match:
            raise Problem(412, "resourceModified", "ETag does not match current item's value")
        check_match(request, drive.etag(item), drive.ctag(item))
    drive.delete(item)
    return answer(request, 204)


def permanent_delete(world: World, target: Target, request: Request) -> Response:
    """`permanentDelete`: business and SharePoint only (§4.3)."""
    drive, item = target.on(), target.item()
    request.discard()
    if not drive.business:
        raise bad_request("API not found")
    drive.delete(item)
    return answer(request, 204)


def restore(world: World, target: Target, request: Request) -> Response:
    """`restore`: out of the recycle bin, on personal drives only (§4.3)."""
    drive = target.on()
    body = read_json(request, optional=True)
    if drive.business:
        raise bad_request("API not found")
    parent = new_parent(world, drive, body.get("parentReference"))
    item = drive.restore(target.start_id, parent, body.get("name"))
    return answer(request, 200, entity(request, drive.id, shown(world, drive, item, None)))


def checkout(world: World, target: Target, request: Request) -> Response:
    """`checkout`, `checkin` and `discardCheckout` (§4.5)."""
    drive, item = target.on(), target.item()
    request.discard()
    if not drive.business or not item.is_file:
        raise Problem(400, "notSupported", "API not found")
    drive.own(item)
    if target.action == "checkout":
        drive.check_writable(item)
        item.checked_out_by = drive.owner
    elif not item.checked_out_by:
        raise Problem(409, "notAllowed", "The item is not checked out")
    else:
        drive.check_writable(item)
        item.checked_out_by = ""
    return answer(request, 204)


def search(world: World, target: Target, request: Request) -> Response:
    drive = target.on()
    action = unquote(target.action)
    wanted = action.partition("q='")[2].rpartition("'")[0].replace("''", "'").lower()
    below = drive.below(target.item())
    hits = islice((item for item in below if item is not drive.root and wanted in item.name.lower()), PAGE)
    select = selection(request)
    indexed = Stale(drive, world.quirks.stale_seconds).children(list(hits))
    values = [shown(world, drive, item, select) for item in indexed]
    if drive.business:
        # the index of SharePoint's backend gives less (§1.5)
        values = [{name: value for name, value in item.items() if name not in _NOT_INDEXED} for item in values]
    return answer(request, 200, {**context(request, "Collection(driveItem)"), "value": values})


Handler = Callable[[World, Target, Request], Response]
