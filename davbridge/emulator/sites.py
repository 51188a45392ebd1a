"""Sites and what is behind sharing links (§1.2, §2.9)."""

from __future__ import annotations

import base64
import re
from urllib.parse import parse_qs, unquote, urlsplit

from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.world import SITE_HOST, Site, World

MOST = 2
"""Sites on one page of a search: more than one page is the rule here, so that nobody forgets the second."""


def site_at(world: World, host: str, path: str) -> Site:
    """By host and server-relative path. A host that is none of the tenant's is refused as such.

    Raises:
        Problem: 400, 404, 403.
    """
    host = SITE_HOST if host == "root" else host.lower()
    sites = [site for site in world.sites if site.host == host]
    if not sites:
        raise bad_request("Invalid hostname for this tenancy")
    return _open(next((site for site in sites if site.path.lower() == path.strip("/").lower()), None))


def site_named(world: World, name: str) -> Site:
    """By id, by the id of its collection alone, by host, or as `root`. Raises `Problem`."""
    if name == "root" or ("," not in name and "." in name):
        return site_at(world, name, "")
    return _open(next((site for site in world.sites if name in (site.id, site.id.split(",")[1])), None))


def _open(site: Site | None) -> Site:
    if site is None:
        raise not_found("Requested site could not be found")
    if site.closed:
        raise Problem(403, "accessDenied", "Access denied")
    return site


def search(world: World, text: str) -> list[Site]:
    """What a search finds: never what the user may not see, and no person's OneDrive."""
    wanted = text.strip("*").lower()
    seen = [site for site in world.sites if not site.closed and not site.path.startswith("personal/")]
    return [site for site in seen if wanted in f"{site.name} {site.path}".lower()]


def site_of(world: World, drive: Drive) -> Site:
    """The site that a drive is a library of. Raises `Problem` for personal drives, which lie in none."""
    return _open(next((site for site in world.sites if drive in site.drives), None))


def site_json(site: Site) -> dict[str, object]:
    """A site resource."""
    return {
        "id": site.id,
        "name": site.path.rpartition("/")[2],
        "displayName": site.name,
        "webUrl": f"https://{site.host}/{site.path}".rstrip("/"),
        "siteCollection": {"hostname": site.host},
        **({} if site.path.count("/") > 1 else {"root": {}}),
    }


def shared(world: World, share: str) -> tuple[Drive, Item, list[str]]:
    """The drive, the item to begin at, and the names below it, behind a share id or an encoded address.

    Raises:
        Problem: 404 for what nobody shares; 400 for what is no share id.
    """
    if not share.startswith("u!"):
        raise not_found()
    raw = share[2:]
    url = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
    if found := _linked(world, url):
        return *found, []
    parts = urlsplit(url)
    for guid in parse_qs(parts.query).get("sourcedoc", []):
        for drive in world.drives.values():
            for item in drive.items.values():
                if drive.business and item.guid == guid.strip("{}").upper():
                    return drive, item, []
    plain = unquote(re.sub(r"/:[a-z]:/r/", "/", url).split("?")[0])
    # the longest first: a library may have the beginning of another's address
    for drive in sorted(world.drives.values(), key=lambda one: -len(one.web_url)):
        base = unquote(drive.web_url)
        if plain == base or plain.startswith(base + "/"):
            return drive, drive.root, [name for name in plain[len(base) :].split("/") if name]
    raise not_found("The sharing link no longer exists, or you do not have permission to access it.")


def _linked(world: World, url: str) -> tuple[Drive, Item] | None:
    for drive in world.drives.values():
        for item in drive.items.values():
            if any(one["link"]["webUrl"] == url.split("?", maxsplit=1)[0] for one in item.permissions):
                return drive, item
    return None
