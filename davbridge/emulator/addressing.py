"""From a URL to a drive, an item and an action (§1): ids, the colon syntax, special folders, sites."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.sites import shared, site_at, site_named, site_of
from davbridge.emulator.staleness import Stale
from davbridge.emulator.world import TENANT, TENANT_ID, USER_ID, Site, World


@dataclass
class Target:
    """What a URL names. `start` and `names` give the item; `action` is what follows, without a slash."""

    drive: Drive | None = None
    start: Item | None = None
    names: list[str] = field(default_factory=list)
    action: str = ""
    site: Site | None = None
    start_id: str = ""
    collection: str = ""
    stale_seconds: float = 0

    def on(self) -> Drive:
        """The drive, which must be there."""
        if self.drive is None:
            raise not_found()
        return self.drive

    def item(self) -> Item:
        """The item itself.

        Raises:
            Problem: 404.
        """
        if self.start is None:
            raise bad_request("The request names no item")
        return Stale(self.on(), self.stale_seconds).descend(self.start, self.names)

    def parent_and_name(self, *, make: bool = False) -> tuple[Item, str]:
        """The folder that holds, or will hold, the named item; `make` creates missing folders on the way."""
        drive = self.on()
        if self.start is None:
            raise bad_request("The request names no item")
        if not self.names:
            if self.start is drive.root:
                raise bad_request("The root has no content")
            return drive.parent_of(self.start), self.start.name
        above = self.names[:-1]
        parent = drive.folder_for(self.start, above) if make else drive.descend(self.start, above)
        return parent, self.names[-1]


def resolve(world: World, path: str, user: str) -> Target:
    """Read a path below `/v1.0`.

    Raises:
        Problem: 400 for a path that breaks the syntax, 404 for what is not there.
    """
    if found := re.fullmatch(r"/sites(?:\?.*)?", path):
        return Target(collection="sites")
    if path == "/me/followedSites":
        return Target(collection=delegated(user) or "followed sites")
    if found := re.match(r"/shares/([^/]+)(.*)", path):
        return _share(world, unquote(found[1]), found[2])
    if re.fullmatch(r"/me/drives", path):
        return Target(collection=delegated(user) or "drives")
    if found := re.match(r"/me/drive(?=/|$|:)", path):
        own = world.drives[world.own_drives.get(user, "business")]
        return _in_drive(own, path[found.end() :], delegated(user))
    if path == "/me":
        return Target(collection=delegated(user) or "me")
    if found := re.match(r"/users/([^/]+)/drive(s$|(?=/|$))", path):
        if unquote(found[1]).lower() not in (world.user.lower(), USER_ID):
            raise not_found("User's mysite not found.")
        if found[2]:
            return Target(collection="drives")
        return _in_drive(world.drives["business"], path[found.end() :])
    if found := re.match(r"/drives/([^/:]+)", path):
        return _in_drive(world.drive(unquote(found[1])), path[found.end() :])
    if path.startswith("/sites/"):
        return _in_site(world, path[len("/sites/") :])
    raise bad_request("Resource not found for the segment.", inner="invalidPath")


def delegated(user: str) -> str:
    """`/me` needs a signed-in user; an application's own token has none (§1.1)."""
    if not user:
        raise Problem(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    return ""


def _in_site(world: World, rest: str) -> Target:
    if found := re.match(r"([^/:]+):/((?:[^:])*?)(?::|$)", rest):
        return _below_site(site_at(world, unquote(found[1]), unquote(found[2])), rest[found.end() :])
    found = re.match(r"([^/]+)", rest)
    name, after = (unquote(found[1]), rest[found.end() :]) if found else ("", "")
    return _below_site(site_named(world, name), after)


def _below_site(site: Site, after: str) -> Target:
    if after == "":
        return Target(site=site)
    if after == "/drives":
        return Target(site=site, collection="drives")
    if site.drives and (found := re.match(r"/drive(?=/|$)", after)):
        return _in_drive(site.drives[0], after[found.end() :])
    raise bad_request("Resource not found for the segment.")


def _share(world: World, share: str, rest: str) -> Target:
    drive, item, names = shared(world, share)
    if rest == "/site":
        Target(drive, item, names).item()  # of what is not there, nobody is told where it would be
        return Target(site=site_of(world, drive))
    if found := re.match(r"/driveItem(?=/|$)", rest):
        return Target(drive, item, names, rest[found.end() :].lstrip("/"))
    raise bad_request("Resource not found for the segment.")


def _in_drive(drive: Drive, rest: str, _: str = "") -> Target:
    if rest == "":
        return Target(drive)
    if found := re.match(r"/root(?=/|:|$)", rest):
        return _from_item(drive, drive.root, rest[found.end() :])
    if (found := re.match(r"/items/([^/:]+)/restore$", rest)) and not drive.business:
        return Target(drive, start_id=unquote(found[1]), action="restore")
    if found := re.match(r"/items/([^/:]+)", rest):
        return _from_item(drive, drive.named(unquote(found[1])), rest[found.end() :])
    if found := re.match(r"/special/([^/:]+)", rest):
        return _from_item(drive, _special(drive, unquote(found[1])), rest[found.end() :])
    if rest.startswith("/search("):
        return Target(drive, drive.root, [], rest[1:])
    raise bad_request("Resource not found for the segment.")


def _special(drive: Drive, name: str) -> Item:
    known = {"documents": "Documents", "photos": "Pictures", "approot": "Apps/davbridge", "music": "Music"}
    if name not in known or (drive.business and name == "music"):
        raise not_found()
    return drive.folder_for(drive.root, known[name].split("/"))


def _from_item(drive: Drive, start: Item, rest: str) -> Target:
    if not rest.startswith(":"):
        return Target(drive, start, [], rest.lstrip("/"))
    if not rest.startswith(":/"):
        raise bad_request("The colon path is malformed", inner="invalidPath")
    if rest == ":/":
        # rclone 1.75 reads the item itself this way when it moves a folder, so the service must allow it; with an
        # action behind it (`:/:/children`) it is refused (rclone #3664)
        return Target(drive, start)
    path, colon, action = rest[2:].partition(":")
    # an empty path, and one with a slash before the closing colon, are refused (§1.3)
    if not path or path.endswith("/") or (colon and action and not action.startswith("/")):
        raise bad_request("The colon path is malformed", inner="invalidPath")
    names = [unquote(segment, errors="strict") for segment in path.split("/")]
    if any(not name for name in names):
        raise bad_request("The path has an empty segment", inner="invalidPath")
    return Target(drive, start, names, action.lstrip("/"))


__all__ = ["TENANT", "TENANT_ID", "Target", "delegated", "resolve"]
