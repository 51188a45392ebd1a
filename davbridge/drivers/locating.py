"""From a pasted address to the drive and the folder that it means, or to the reason why it means none.

Why here: a policy's `site:`, `davbridge resolve` and `davbridge init` must agree on what an address means. What is in
the address itself is `graph.pasted`'s.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from davbridge.drivers.tree import content_ref
from davbridge.errors import (
    BridgeError,
    ConfigError,
    Forbidden,
    LicenceMissing,
    NotFound,
    PermissionMissing,
    RequestRefused,
)
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive, get_my_drive, list_site_drives
from davbridge.graph.items import get_placed_item
from davbridge.graph.model import Drive, ItemRef, PlacedItem, Site
from davbridge.graph.pasted import (
    CLOUD_NAMES,
    OwnDrive,
    Pasted,
    PersonalPlace,
    SharingLink,
    SitePath,
    graph_host,
    sharepoint_graph,
)
from davbridge.graph.sites import get_root_site, get_shared_item, get_shared_site, get_site
from davbridge.paths import ROOT, DavPath, fold

_NO_HOST = "{host} is no host of SharePoint or OneDrive: paste an address of theirs"


class NoPermission(ConfigError):
    """The account may not see what the address names: rights of the person, of the app, or a scope not asked for."""


@dataclass(frozen=True)
class Located:
    """What an address leads to: `path` below `base`, or below the drive's root where there is no `base`.

    `site` is known for libraries. `whole` is the path below the drive's root, where Graph tells it.
    """

    drive: Drive
    path: DavPath = ROOT
    base: ItemRef | None = None
    site: Site | None = None
    whole: DavPath | None = None


def locate(graph: Graph, pasted: Pasted, library: str | None = None) -> Located:
    """Ask Graph what an address means. `library` wins over what the address says of it.

    Raises:
        ConfigError: it leads nowhere, for one sentence's reason. `NoPermission`: the account may not see it.
        NeedsSignIn, Busy, BadUpstream.
    """
    _check_cloud(graph, pasted)
    match pasted:
        case SitePath():
            return _in_library(graph, pasted, library)
        case SharingLink():
            return _behind_link(graph, pasted)
        case PersonalPlace():
            return _in_personal(graph, pasted)
        case OwnDrive():
            return Located(_own(graph, pasted), whole=ROOT)


def _check_cloud(graph: Graph, pasted: Pasted) -> None:
    """A private cloud (and the emulator) may have hosts of any name; Microsoft's own have theirs."""
    ours = urlsplit(graph.base).hostname or ""
    if ours not in CLOUD_NAMES:
        return
    theirs = graph_host(pasted)
    if not theirs:
        raise ConfigError(_NO_HOST.format(host=pasted.host))
    if theirs != ours:
        raise ConfigError(
            f"{pasted.host} lies in another Microsoft cloud than the account: it needs an account with "
            f"`cloud: {CLOUD_NAMES[theirs]}`, and this one is in {CLOUD_NAMES[ours]}"
        )


def _in_library(graph: Graph, place: SitePath, library: str | None) -> Located:
    site, drives, length = _site(graph, place)
    if library:
        return Located(by_name(drives, library, site), site=site, whole=ROOT)
    if len(place.names) == length:
        return Located(_default(drives, site), site=site, whole=ROOT)
    known = [(names, drive) for drive in drives if (names := _below(drive, place.names)) is not None]
    if not known:
        raise ConfigError(f"{place.url!r} is not a library of the site {site.name!r}; {listed(drives)}")
    names, drive = min(known, key=lambda one: len(one[0]))
    return Located(drive, DavPath(names), site=site, whole=DavPath(names))


def _site(graph: Graph, place: SitePath) -> tuple[Site, list[Drive], int]:
    """The innermost site, its libraries, and how many of the names it takes: sites may lie in sites."""
    length = place.site_length
    site = _collection(graph, place, length)
    drives = list_site_drives(graph, site.id)
    while length < len(place.names) and all(_below(drive, place.names) is None for drive in drives):
        try:
            inner = get_site(graph, place.host, "/".join(place.names[: length + 1]))
        except (NotFound, RequestRefused, Forbidden):
            break
        site, drives, length = inner, list_site_drives(graph, inner.id), length + 1
    return site, drives, length


def _collection(graph: Graph, place: SitePath, length: int) -> Site:
    path = "/".join(place.names[:length])
    what = f"the site {path or '/'!r} on {place.host}"
    try:
        return get_site(graph, place.host, path)
    except (NotFound, RequestRefused):
        if other := _other_tenant(graph, place.host):
            raise ConfigError(other) from None
        raise ConfigError(
            f"there is no site {path or '/'!r} on {place.host}, or the account cannot see it: compare it with the "
            "browser's address bar, and open it there as the same account"
        ) from None
    except PermissionMissing as error:
        raise NoPermission(f"{what}: {error} (Sites.Read.All, or Sites.Selected with the site given to it)") from None
    except LicenceMissing as error:
        raise NoPermission(f"{what}: {error}") from None
    except Forbidden:
        raise NoPermission(
            f"the account may not see {what}: a person must be a member of it; an app "
            "with Sites.Selected must have been given the site (docs/setup-entra.md, Sites.Selected)"
        ) from None


def _other_tenant(graph: Graph, host: str) -> str:
    """What to say when a host is not the account's own tenant's; empty when it is, or nobody tells."""
    with suppress(BridgeError):
        ours = urlsplit(get_root_site(graph).web_url).hostname or ""
        if ours and _tenant(ours) != _tenant(host):
            if sharepoint_graph(ours) and not sharepoint_graph(host):
                return _NO_HOST.format(host=host)
            if sharepoint_graph(ours) != sharepoint_graph(host):
                return (
                    f"{host} lies in another Microsoft cloud than this account's SharePoint, {ours}: it needs an "
                    f"account with `cloud: {CLOUD_NAMES[sharepoint_graph(host)]}`"
                )
            return (
                f"{host} belongs to another tenant: this account's SharePoint is {ours}. Use an account of that "
                "tenant, or paste a sharing link that was made for this one"
            )
    return ""


def _tenant(host: str) -> str:
    first, dot, rest = host.lower().partition(".")
    return first.removesuffix("-my") + dot + rest


def _behind_link(graph: Graph, link: SharingLink) -> Located:
    try:
        placed = get_shared_item(graph, link.url)
        drive = get_drive(graph, placed.item.drive_id)
    except (NotFound, Forbidden, RequestRefused) as error:
        refused = NoPermission if isinstance(error, Forbidden) else ConfigError
        told = _other_tenant(graph, link.host) if link.host.count(".") > 1 else ""
        raise refused(
            told
            or f"the link on {link.host} leads nowhere, or the account may not use it: it may have been "
            "removed, have ended, or be for other people; have it made again, for the account that signs in here"
        ) from None
    site = None
    if drive.kind == "documentLibrary":
        with suppress(NotFound, Forbidden, RequestRefused):
            site = get_shared_site(graph, link.url)
    return Located(drive, base=content_ref(placed.item), site=site, whole=placed.path)


def _in_personal(graph: Graph, place: PersonalPlace) -> Located:
    start = ItemRef(place.drive_id, place.item_id or "root", DavPath(place.names))
    try:
        drive = get_drive(graph, place.drive_id)
        placed: PlacedItem | None = get_placed_item(graph, start) if place.item_id else None
    except (NotFound, Forbidden, RequestRefused):
        raise ConfigError(
            "the address is one of a personal OneDrive, and this account sees no such drive or folder there: sign in "
            "as the person whose it is (an account with `tenant: consumers` or `common`), or paste a sharing link to it"
        ) from None
    if placed is None:
        return Located(drive, start.path, whole=start.path)
    return Located(drive, base=content_ref(placed.item), whole=placed.path)


def _own(graph: Graph, pasted: OwnDrive) -> Drive:
    try:
        return get_my_drive(graph)
    except (NotFound, Forbidden, RequestRefused):
        raise ConfigError(
            f"{pasted.host} shows whoever has signed in their own OneDrive, and this account has none, or none that it "
            "may see: open the folder, and paste its address"
        ) from None


def _below(drive: Drive, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names below a library's own URL; None when the URL is not of that library."""
    own = [name for name in unquote(urlsplit(drive.web_url).path).split("/") if name]
    inside = own and [fold(name) for name in names[: len(own)]] == [fold(name) for name in own]
    return names[len(own) :] if inside else None


def by_name(drives: list[Drive], library: str, site: Site) -> Drive:
    """The library of a name, or of the name in its address: `Documents` is `Shared Documents` there.

    Raises: ConfigError.
    """
    wanted = fold(library.strip().strip("/"))
    for drive in drives:
        if wanted in (fold(drive.name), fold(unquote(drive.web_url.rstrip("/").rpartition("/")[2]))):
            return drive
    raise ConfigError(f"the site {site.name!r} has no library {library!r}; {listed(drives)}")


def _default(drives: list[Drive], site: Site) -> Drive:
    if len(drives) == 1:
        return drives[0]
    for drive in drives:
        if fold(drive.name) == "documents" or drive.web_url.endswith("/Shared%20Documents"):
            return drive
    if not drives:
        raise ConfigError(
            f"the site {site.name!r} has no library that the account can see, so there is nothing to mount: paste the "
            "address of another site, or of a library in it"
        )
    raise ConfigError(f"the site {site.name!r} needs a `library:`; {listed(drives)}")


def listed(drives: list[Drive]) -> str:
    """The libraries there are, for people."""
    if not drives:
        return "it has none that the account can see"
    return "its libraries are " + ", ".join(repr(drive.name) for drive in drives)
