"""Asynchronous copies and their monitors (§4.4)."""

from __future__ import annotations

from itertools import islice

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, read_json
from davbridge.emulator.drives import Conflict, Drive, Item
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.items import new_parent
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.world import Copying, World, secret

LARGEST = 30_000


def copy_item(world: World, target: Target, request: Request) -> Response:
    """202, whatever will become of it: only the monitor tells."""
    drive, item = target.on(), target.item()
    body = read_json(request)
    reference, name, children_only = body.get("parentReference"), body.get("name"), bool(body.get("childrenOnly"))
    if children_only and name:
        raise bad_request("Cannot use name parameter alongside childrenOnly.")
    if children_only and not item.is_folder:
        raise bad_request("childrenOnly is only valid for folders.")
    if item is drive.root and not children_only:
        raise bad_request("Cannot copy the root folder.")
    if not reference and not name:
        raise bad_request("Either parentReference or name must be given")
    where = world.drive(reference["driveId"]) if reference and reference.get("driveId") else drive
    if where.business != drive.business:
        raise Problem(403, "accessDenied", "Copies between personal and business drives are not possible")
    parent = new_parent(world, where, {**reference, "driveId": where.id}) if reference else drive.parent_of(item)
    assert parent is not None
    token = secret(16)
    # in the query only; in the body it is not looked at, and on personal drives nowhere
    conflict = request.query.get("@microsoft.graph.conflictBehavior", "fail") if drive.business else "fail"
    started = world.clock.monotonic()
    due = started + world.quirks.copy_seconds
    world.copies[token] = Copying(
        drive, item, where, parent.id, str(name or item.name), conflict, started, due, children_only
    )
    return answer(request, 202, None, Location=f"{world.content_url}/monitor/{token}")


def settle_copies(world: World) -> None:
    """Finish the copies that are due."""
    with world.lock:
        due = [one for one in world.copies.values() if not one.status and world.clock.monotonic() >= one.due]
        for copying in due:
            copying.status, copying.error = "failed", world.quirks.copy_fails
            if copying.error:
                continue
            try:
                made = _perform(copying)
            except Problem as problem:
                copying.error = problem.code
                continue
            copying.status, copying.resource_id = "completed", made.id
            made.hidden = world.quirks.lookup_lag


def _perform(copying: Copying) -> Item:
    source, target = copying.drive, copying.target
    parent = target.get(copying.parent_id)
    if sum(1 for _ in islice(source.below(copying.item), LARGEST + 1)) > LARGEST:
        raise Problem(400, "totalAffectedItemCountExceeded")
    if _lies_in(target, parent, copying.item):
        raise Problem(400, "notAllowed")
    conflict: Conflict = copying.conflict if copying.conflict in ("replace", "rename") else "fail"  # type: ignore[assignment]
    if not copying.children_only:
        return target.copy(copying.item, parent, copying.name, conflict)
    for child in source.listed(copying.item):
        target.copy(child, parent, child.name, conflict)
    return parent


def _lies_in(drive: Drive, folder: Item, item: Item) -> bool:
    """Whether a folder is the item, or below it."""
    while folder is not item and folder.parent_id:
        folder = drive.parent_of(folder)
    return folder is item


def monitor(world: World, token: str, request: Request) -> Response:
    """Needs no token, and tells a failure with status 200."""
    settle_copies(world)
    copying = world.copies.get(token)
    if copying is None:
        raise not_found()
    status = 200 if copying.drive.business else 202
    if copying.status == "completed":
        location = f"https://contoso.sharepoint.com/_api/v2.0/drives/{copying.target.id}/items/{copying.resource_id}"
        found = {"resourceId": copying.resource_id, "resourceLocation": location}
        if world.quirks.copy_without_resource:
            found = {}
        return answer(request, status, {"percentageComplete": 100.0, **found, "status": "completed"})
    if copying.status == "failed":
        error = {"code": copying.error, "message": copying.error, "details": []}
        return answer(request, 200, {"status": "failed", "error": error, "errorCode": copying.error})
    spent = (world.clock.monotonic() - copying.started) / max(copying.due - copying.started, 1e-6)
    done = {"operation": "ItemCopy", "percentageComplete": round(min(spent, 0.99) * 100, 1)}
    return answer(request, status, {**done, "status": "notStarted" if spent < 0.2 else "inProgress"})
