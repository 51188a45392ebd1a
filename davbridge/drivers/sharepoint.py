"""A SharePoint document library: found by any URL that a person would paste, by its name, or by its drive id."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.drivers.graphdriver import GraphDriver, Place, WatchDrive
from davbridge.drivers.roots import find_root, folder_path
from davbridge.drivers.tree import content_ref
from davbridge.drivers.uploads import Uploads
from davbridge.errors import ConfigError, Forbidden, LicenceMissing, NotFound, PermissionMissing, RequestRefused
from davbridge.graph.client import Graph
from davbridge.graph.drives import get_drive, list_site_drives
from davbridge.graph.model import Drive, Site
from davbridge.graph.sites import get_shared_item, get_site
from davbridge.mirror.folder import Mirrors
from davbridge.paths import DavPath, fold

_MANAGED = ("sites", "teams", "personal")


@dataclass(frozen=True)
class SiteUrl:
    """A pasted URL, taken apart. `names`: the decoded path; `shared`: it is a sharing link, opaque to us."""

    url: str
    host: str
    names: tuple[str, ...]
    shared: bool

    @classmethod
    def parse(cls, url: str) -> SiteUrl:
        """Accepts site, library, folder, `Forms/AllItems.aspx?id=…` and sharing-link URLs.

        Raises: ConfigError.
        """
        parts = urlsplit(url.strip())
        if parts.scheme != "https" or not parts.hostname:
            raise ConfigError(f"{url!r} is not the address of a SharePoint site: it should begin with https://")
        query = parse_qs(parts.query)
        path = (query.get("id") or query.get("RootFolder") or [unquote(parts.path)])[0]
        names = [name for name in path.split("/") if name]
        if "Forms" in names and names[-1].lower().endswith(".aspx"):
            names = names[: names.index("Forms")]
        elif names and names[-1].lower().endswith(".aspx"):
            names = names[: names.index("SitePages")] if "SitePages" in names else names[:-1]
        shared = bool(names) and names[0].startswith(":")
        if shared and len(names) > 2 and names[1] == "r":  # `/:f:/r/sites/team/…` only says how to open it
            names, shared = names[2:], False
        return cls(url.strip(), parts.hostname, tuple(names), shared)

    @property
    def site_length(self) -> int:
        """How many names belong to the site collection: `sites/team`, or none for the host's root site."""
        return 2 if len(self.names) >= 2 and self.names[0].lower() in _MANAGED else 0


class SharePoint:
    """The `sharepoint` driver of a policy."""

    @staticmethod
    def open(
        graph: Graph,
        *,
        site: str,
        library: str | None = None,
        drive_id: str | None = None,
        root: str = "/",
        clock: Clock,
        mirrors: Mirrors | None = None,
        account: str = "",
        watch: WatchDrive | None = None,
        uploads: Uploads | None = None,
        contents: ContentCache | None = None,
    ) -> GraphDriver:
        """A driver that looks its library up at first use, or by `probe`. `root`: a folder as people write it."""

        def find() -> Place:
            return find_place(graph, site, library, drive_id, root)

        return GraphDriver(
            graph, find, clock, mirrors=mirrors, account=account, watch=watch, uploads=uploads, contents=contents
        )


def find_place(graph: Graph, site: str, library: str | None, drive_id: str | None, root: str) -> Place:
    """The library and the root folder in it.

    Raises: ConfigError: no such site, library, drive or folder; the message lists the libraries there are.
    """
    if drive_id:
        try:
            return find_root(graph, get_drive(graph, drive_id), folder_path(root))
        except (NotFound, RequestRefused):
            raise ConfigError(f"there is no drive with the id {drive_id!r}, or the account cannot see it") from None
    url = SiteUrl.parse(site)
    if url.shared:
        return _shared(graph, url, root)
    found, length = _site(graph, url, url.site_length)
    drives = list_site_drives(graph, found.id)
    if library:
        return find_root(graph, _by_name(drives, library, found), folder_path(root))
    rest = url.names[length:]
    if not rest:
        return find_root(graph, _default(drives, found), folder_path(root))
    for drive in drives:
        below = _below(drive, url.names)
        if below is not None:
            return find_root(graph, drive, DavPath(below).join(folder_path(root)))
    raise ConfigError(f"{url.url!r} is not a library of the site {found.name!r}; {_listed(drives)}")


def _shared(graph: Graph, url: SiteUrl, root: str) -> Place:
    try:
        item = get_shared_item(graph, url.url)
        drive = get_drive(graph, item.drive_id)
    except (NotFound, Forbidden):
        raise ConfigError("the sharing link in `site` leads nowhere, or the account may not use it") from None
    return find_root(graph, drive, folder_path(root), content_ref(item))


def _site(graph: Graph, url: SiteUrl, length: int) -> tuple[Site, int]:
    """The innermost site that the URL names, and how many of its names that takes: sites may lie in sites."""
    path = "/".join(url.names[:length])
    try:
        found = get_site(graph, url.host, path)
    except (NotFound, RequestRefused):
        raise ConfigError(f"there is no site {path or '/'!r} on {url.host}, or the account cannot see it") from None
    except (PermissionMissing, LicenceMissing) as error:
        raise ConfigError(f"the site {path or '/'!r} on {url.host}: {error}") from None
    except Forbidden:
        raise ConfigError(
            f"the account may not see the site {path or '/'!r} on {url.host}: a person must be a member of it; an app "
            "with Sites.Selected must have been given the site (docs/setup-entra.md, Sites.Selected)"
        ) from None
    known = [names for drive in list_site_drives(graph, found.id) if (names := _below(drive, url.names)) is not None]
    if len(url.names) > length and not known:
        try:
            return _site(graph, url, length + 1)
        except ConfigError:
            return found, length
    return found, length


def _below(drive: Drive, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names below a library's own URL; None when the URL is not of that library."""
    own = [name for name in unquote(urlsplit(drive.web_url).path).split("/") if name]
    inside = own and [fold(name) for name in names[: len(own)]] == [fold(name) for name in own]
    return names[len(own) :] if inside else None


def _by_name(drives: list[Drive], library: str, site: Site) -> Drive:
    wanted = fold(library.strip().strip("/"))
    for drive in drives:
        # `Documents` is `Shared Documents` in its URL, and people copy either
        if wanted in (fold(drive.name), fold(unquote(drive.web_url.rstrip("/").rpartition("/")[2]))):
            return drive
    raise ConfigError(f"the site {site.name!r} has no library {library!r}; {_listed(drives)}")


def _default(drives: list[Drive], site: Site) -> Drive:
    if len(drives) == 1:
        return drives[0]
    for drive in drives:
        if fold(drive.name) == "documents" or drive.web_url.endswith("/Shared%20Documents"):
            return drive
    raise ConfigError(f"the site {site.name!r} needs a `library:`; {_listed(drives)}")


def _listed(drives: list[Drive]) -> str:
    if not drives:
        return "it has none that the account can see"
    return "its libraries are " + ", ".join(repr(drive.name) for drive in drives)
