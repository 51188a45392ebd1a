"""Items: read, list, create folders, change, delete (facts: Graph §2.6, §4.1–§4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

from davbridge.errors import BadUpstream, BridgeError, NotFound, UnknownOutcome
from davbridge.graph.client import Graph
from davbridge.graph.decode import DOWNLOAD_URL, above, drive_item, iso
from davbridge.graph.model import DriveItem, ItemRef, PlacedItem
from davbridge.graph.pages import values
from davbridge.transport import Reply

FIELDS = (
    "id,name,size,eTag,cTag,createdDateTime,lastModifiedDateTime,file,folder,package,root,remoteItem,fileSystemInfo,"
    "parentReference"
)
_LISTED = f"$select={FIELDS}"
ONE = f"$select={FIELDS},{quote(DOWNLOAD_URL)}"
"""The query for one item with all that `drive_item` reads."""
_TOP = 1000


def get_item(graph: Graph, ref: ItemRef) -> DriveItem:
    """One item, with a download URL when it is a file.

    Raises:
        NotFound.
    """
    return drive_item(graph.get_json(f"{ref.url()}?{ONE}"), drive_id=ref.drive_id)


def get_placed_item(graph: Graph, ref: ItemRef) -> PlacedItem:
    """As `get_item`, with the folders above it. Raises NotFound."""
    json = graph.get_json(f"{ref.url()}?{ONE}")
    return PlacedItem(drive_item(json, drive_id=ref.drive_id), above(json))


def read_back(graph: Graph, ref: ItemRef) -> DriveItem | None:
    """An item after a write whose answer was lost; None when it is not there.

    Raises:
        UnknownOutcome: it cannot be read, so nobody knows what the write has done (law 3).
    """
    try:
        return get_item(graph, ref)
    except NotFound:
        return None
    except BridgeError as error:
        raise UnknownOutcome("an answer was lost, and what it told of cannot be read") from error


def written(reply: Reply, ref: ItemRef) -> DriveItem:
    """The item that a write answers.

    Raises:
        UnknownOutcome: it was carried out, and the answer cannot be read.
    """
    try:
        return drive_item(reply.json(), drive_id=ref.drive_id)
    except BadUpstream as error:
        raise UnknownOutcome("Microsoft's answer to a write cannot be read") from error


def get_folder(graph: Graph, ref: ItemRef) -> tuple[DriveItem, Iterable[DriveItem]]:
    """An item and its children, the first page of both in one call; a file has no children.

    The iterable fetches the further pages as it goes.

    Raises:
        NotFound.
    """
    json = graph.get_json(f"{ref.url()}?{_LISTED}&$expand=children($select={FIELDS})")
    item = drive_item(json, drive_id=ref.drive_id)
    children = json.get("children")
    if not isinstance(children, list):
        return item, list_children(graph, ItemRef(ref.drive_id, item.id)) if item.kind == "folder" else ()
    first = [drive_item(child, drive_id=ref.drive_id) for child in children]
    following = json.get("children@odata.nextLink")
    return item, _chain(graph, ref.drive_id, first, following)


def list_children(graph: Graph, ref: ItemRef) -> Iterable[DriveItem]:
    """The children of a folder, page by page."""
    return _chain(graph, ref.drive_id, [], f"{ref.url('children')}?$top={_TOP}&{_LISTED}")


def _chain(graph: Graph, drive_id: str, first: list[DriveItem], following: str | None) -> Iterator[DriveItem]:
    yield from first
    for child in values(graph, following):
        yield drive_item(child, drive_id=drive_id)


def create_folder(graph: Graph, parent: ItemRef, name: str) -> DriveItem:
    """A new folder.

    Raises:
        AlreadyExists: an item of that name is there. NotFound: the parent is not.
    """
    body = {"name": name, "folder": {}, "@microsoft.graph.conflictBehavior": "fail"}
    return written(graph.call("POST", parent.url("children"), body=body), parent)


def update_item(
    graph: Graph,
    ref: ItemRef,
    *,
    name: str | None = None,
    parent: ItemRef | None = None,
    created: datetime | None = None,
    modified: datetime | None = None,
    replace: bool = False,
    if_match: str | None = None,
) -> DriveItem:
    """Rename, move and set times, in one call. `replace` puts an existing file aside in the same step (§4.2).

    Raises:
        AlreadyExists: the name is taken and `replace` is not given, or it is a folder's. NotFound, PreconditionFailed.
    """
    body: dict[str, Any] = {}
    if name is not None:
        body["name"] = name
    if parent is not None:
        body["parentReference"] = _reference(parent)
    times = {"createdDateTime": created, "lastModifiedDateTime": modified}
    info = {key: iso(value) for key, value in times.items() if value is not None}
    if info:
        body["fileSystemInfo"] = info
    if name is not None or parent is not None:
        body["@microsoft.graph.conflictBehavior"] = "replace" if replace else "fail"
    reply = graph.call("PATCH", ref.url(), body=body, headers=_match(if_match))
    if reply.status == 204:
        # some tenants answer without a body (§12.9); the item may lie under its new name now
        return get_item(graph, ItemRef(ref.drive_id, ref.item_id) if ref.path.is_root else ref)
    return written(reply, ref)


def _reference(parent: ItemRef) -> dict[str, str]:
    """A parentReference: by id where we have it; the literal `root` is not accepted as an id (§4.2)."""
    if parent.path.is_root and parent.item_id != "root":
        return {"driveId": parent.drive_id, "id": parent.item_id}
    if parent.item_id != "root":
        raise ValueError("a parent is named by its id, or by its path below the root")
    path = "" if parent.path.is_root else f"/{parent.path.graph()}"
    return {"driveId": parent.drive_id, "path": f"/drives/{parent.drive_id}/root:{path}"}


def delete_item(graph: Graph, ref: ItemRef, *, if_match: str | None = None) -> None:
    """Delete an item and all below it, into the recycle bin. Repeated after a lost answer: what is gone stays gone.

    Raises:
        NotFound, PreconditionFailed.
    """
    try:
        graph.call("DELETE", ref.url(), headers=_match(if_match))
    except UnknownOutcome:
        with suppress(NotFound):
            graph.call("DELETE", ref.url(), headers=_match(if_match))


def _match(tag: str | None) -> dict[str, str]:
    """If-Match; classic personal tags come without the quotes that the header needs (§2.4)."""
    if tag is None:
        return {}
    return {"If-Match": tag if tag.startswith('"') else f'"{tag}"'}
