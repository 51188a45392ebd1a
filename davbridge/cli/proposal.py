"""From a drive and a folder in it to the policy that mounts it: what `resolve` prints and `init` writes."""

from __future__ import annotations

import re
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from davbridge.config import Account
from davbridge.drivers.locating import Located, by_name
from davbridge.errors import ConfigError, Forbidden, NotFound, RequestRefused
from davbridge.graph import Graph
from davbridge.graph.drives import get_my_drive, list_site_drives
from davbridge.graph.items import get_placed_item
from davbridge.graph.model import Drive, ItemRef, Site
from davbridge.graph.pasted import Pasted, SharingLink, is_personal
from davbridge.paths import DavPath, fold
from davbridge.tokens import METHODS


@dataclass(frozen=True)
class Folder:
    """A folder that could be mounted. `path`: below the drive's root; None where Graph hides it.

    `file`: the address named this file, and the folder is the one it lies in.
    """

    drive: Drive
    item_id: str
    path: DavPath | None
    site: Site | None = None
    file: str = ""


def find_folder(graph: Graph, located: Located) -> Folder:
    """The folder that an address means: a file's is the one it lies in.

    Raises:
        ConfigError: there is none.
    """
    drive, start = located.drive, located.base or ItemRef(located.drive.id, "root")
    where = located.whole if located.whole is not None else located.path
    try:
        placed = get_placed_item(graph, ItemRef(start.drive_id, start.item_id, located.path))
    except (NotFound, Forbidden, RequestRefused):
        raise ConfigError(f"there is no {where} in {drive.name!r}, or the account cannot see it") from None
    path = placed.path if placed.path is not None else located.whole
    if placed.item.kind == "folder":
        return Folder(drive, placed.item.id, path, located.site)
    if placed.item.kind != "file":
        raise ConfigError(f"{where} in {drive.name!r} is a notebook or the like, which cannot be mounted")
    above = path.parent if path is not None else None
    return Folder(drive, placed.item.parent_id, above, located.site, placed.item.name)


def policy_for(graph: Graph, folder: Folder, account: str, pasted: Pasted | None = None) -> dict[str, Any]:
    """The keys of a policy for the folder, but for mount and access.

    Raises:
        ConfigError: it cannot be mounted that way; the message says which way there is.
    """
    own: dict[str, Any] = {"account": account, "driver": "onedrive"}
    library = {"account": account, "driver": "sharepoint"}
    root = {} if folder.path is None or folder.path.is_root else {"root": str(folder.path)}
    if folder.path is None:
        if isinstance(pasted, SharingLink) and not folder.file and folder.drive.kind != "personal":
            return {**library, "site": pasted.url}
        raise ConfigError(
            "Microsoft does not tell where the folder lies: open it in the browser, and paste that address"
        )
    if folder.drive.kind == "documentLibrary":
        if folder.site and _is_named(graph, folder.site, folder.drive):
            return {**library, "site": folder.site.web_url, "library": folder.drive.name, **root}
        return {**library, "drive_id": folder.drive.id, **root}
    if _is_own(graph, folder.drive):
        return {**own, **root}
    if folder.drive.kind == "personal":
        raise ConfigError(
            "the folder lies in somebody else's personal OneDrive: choose Add shortcut to My files there, then mount "
            "your own OneDrive with `root:` and the shortcut's name, and `scopes: [Files.ReadWrite.All]` in the account"
        )
    if folder.drive.mail:
        return {**own, "user": folder.drive.mail, **root}
    return {**library, "drive_id": folder.drive.id, **root}


def _is_named(graph: Graph, site: Site, drive: Drive) -> bool:
    """Whether site and name lead back to this library: one may have the name that another has in its address."""
    with suppress(ConfigError, NotFound, Forbidden, RequestRefused):  # who came by a link may see no more than it
        return by_name(list_site_drives(graph, site.id), drive.name, site).id == drive.id
    return False


def _is_own(graph: Graph, drive: Drive) -> bool:
    """Whether it is what the account has without naming it; an application has none."""
    with suppress(NotFound, Forbidden, RequestRefused):
        return fold(get_my_drive(graph).id) == fold(drive.id)
    return False


def unfit(account: Account, pasted: Pasted) -> str:
    """Why an account can see nothing at the address, whatever it may do; empty when it may."""
    if account.tenant == "consumers" and not is_personal(pasted):
        return (
            f"{pasted.host} is of an organisation, and the account is a personal one (tenant: consumers), which has no "
            "SharePoint: an account for work or school is needed"
        )
    if is_personal(pasted) and not METHODS[account.sign_in].needs_person:
        return (
            f"{pasted.host} is a personal OneDrive, which only a person can sign in to, not an app by itself: an "
            "account with sign_in: device_code or browser, and tenant: consumers or common, is needed"
        )
    return ""


def name_for(folder: Folder, taken: Container[str] = ()) -> str:
    """A policy's name: the folder's, the library's or the site's, with a number when somebody has it."""
    # a person's OneDrive is a site, too, with the person's name
    site = folder.site if folder.drive.kind == "documentLibrary" else None
    parts = [site.name if site else folder.drive.name]
    if site and fold(folder.drive.name) != "documents":
        parts.append(folder.drive.name)
    if folder.path is not None and folder.path.names:
        parts.append(folder.path.name)
    word = re.sub(r"\W+", "-", " ".join(parts).lower()).strip("-_") or "files"
    number = 2
    name = word
    while name in taken:
        name, number = f"{word}-{number}", number + 1
    return name
