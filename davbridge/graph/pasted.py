"""Addresses that people paste, taken apart: what is in them, before anybody is asked (facts: Graph §1.2, §2.9, §11).

Why here: the browser's address bar, the *Copy link* button and OneDrive's own pages show the same folder under a dozen
forms, and what each means is knowledge about Microsoft's addresses. Pure: nothing here asks Graph, and nothing in the
bridge ever sends a request to a pasted address itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from davbridge.errors import ConfigError

SUFFIXES = {
    "sharepoint.com": "graph.microsoft.com",
    "sharepoint.us": "graph.microsoft.us",
    "sharepoint-mil.us": "dod-graph.microsoft.us",
    "sharepoint.cn": "microsoftgraph.chinacloudapi.cn",
}
"""Where each cloud has its SharePoint hosts, and the Graph host that knows them."""
CLOUD_NAMES = {
    "graph.microsoft.com": "global",
    "graph.microsoft.us": "us_gov",
    "dod-graph.microsoft.us": "us_gov_dod",
    "microsoftgraph.chinacloudapi.cn": "china",
}
"""The clouds as the configuration names them."""
MANAGED = ("sites", "teams", "personal")
"""What stands before the name of a site; a person's OneDrive is a site, too."""

_LIVE, _LINKS, _WEBDAV, _MOVED = "onedrive.live.com", "1drv.ms", "d.docs.live.net", "my.microsoftpersonalcontent.com"
_PERSONAL = (_LIVE, _LINKS, _WEBDAV, _MOVED)
_LINK = re.compile(r":[a-z]{1,3}:")
_CID = re.compile(r"[0-9A-Fa-f]{8,16}")
_ELSEWHERE = ("teams.microsoft.com", "teams.live.com", "office.com", "cloud.microsoft", "microsoft365.com")
_WANTED = "paste the address of a SharePoint site, library or folder, of a OneDrive folder, or a sharing link"


@dataclass(frozen=True)
class SitePath:
    """A place on a SharePoint host: a site, a library, a folder or a file. `names`: the decoded path."""

    url: str
    host: str
    names: tuple[str, ...] = ()

    @property
    def site_length(self) -> int:
        """How many names belong to the site collection: `sites/team`, or none for the host's root site."""
        return 2 if len(self.names) >= 2 and self.names[0].lower() in MANAGED else 0


@dataclass(frozen=True)
class SharingLink:
    """A link that only Microsoft can read. It may be all that somebody needs to get in: not for logs."""

    url: str
    host: str


@dataclass(frozen=True)
class PersonalPlace:
    """A place in a personal OneDrive: an item by its id, or names below the root. `drive_id` has 16 digits."""

    url: str
    host: str
    drive_id: str
    item_id: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnDrive:
    """OneDrive's first page: whoever has signed in sees their own drive there."""

    url: str
    host: str


Pasted = SitePath | SharingLink | PersonalPlace | OwnDrive


def read_pasted(text: str) -> Pasted:
    """Take an address apart.

    Raises:
        ConfigError: it is no address, or none of SharePoint's or OneDrive's; the message says what to paste instead.
    """
    url = _cleaned(text)
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        raise ConfigError(f"{url!r} is not an address: {_WANTED}") from None
    if parts.scheme != "https" or not host:
        raise ConfigError(f"{url!r} is not the address of a SharePoint site: it should begin with https://; {_WANTED}")
    if any(host == one or host.endswith(f".{one}") for one in _ELSEWHERE):
        raise ConfigError(f"{host} only shows what lies in SharePoint: choose Open in SharePoint there, and {_WANTED}")
    if host.removeprefix("www.") in _PERSONAL:
        return _personal(url, host.removeprefix("www."), parts)
    return _on_sharepoint(url, host, parts)


def is_personal(pasted: Pasted) -> bool:
    """Whether it lies in a personal OneDrive."""
    return pasted.host in _PERSONAL


def graph_host(pasted: Pasted) -> str:
    """The Graph host of the cloud that the address lies in; empty for a host that is in none we know."""
    return SUFFIXES["sharepoint.com"] if is_personal(pasted) else sharepoint_graph(pasted.host)


def sharepoint_graph(host: str) -> str:
    """The Graph host of the cloud that a SharePoint host lies in; empty for a host that is in none we know."""
    return next((graph for suffix, graph in SUFFIXES.items() if host.lower().endswith(f".{suffix}")), "")


def _cleaned(text: str) -> str:
    """Without what mail programs, chats and hurried hands put round an address; with a scheme where none is needed."""
    url = text.strip().strip("<>\"'").strip()
    if not url.isprintable():
        raise ConfigError(f"the address has characters in it that none can have: {_WANTED}")
    scheme, colon, rest = url.partition("://")
    known = re.match(r"([^/?#:@]+)", rest if colon else url)
    host = known[1].lower() if known else ""
    microsofts = host in _PERSONAL or any(host.endswith(f".{suffix}") for suffix in SUFFIXES)
    if microsofts and (not colon or scheme.lower() == "http"):
        return f"https://{rest if colon else url}"
    return url


def _on_sharepoint(url: str, host: str, parts: SplitResult) -> Pasted:
    first, _, rest = host.partition(".")
    if first.endswith("-admin") and any(rest == suffix for suffix in SUFFIXES):
        raise ConfigError(f"{host} is SharePoint's admin center, which has no files: {_WANTED}")
    query = parse_qs(parts.query)
    names = _names(unquote(parts.path))
    if names and _LINK.fullmatch(names[0].lower()):
        if names[1:2] != ["r"]:
            return SharingLink(url, host)
        names = names[2:]  # `/:f:/r/sites/team/…` only says how to open it
    if {"sourcedoc", "share", "docid", "guestaccesstoken"} & {key.lower() for key in query}:
        return SharingLink(url, host)  # Office in the browser: `Doc.aspx?sourcedoc={…}` names a file by its id
    own = host.partition(".")[0].endswith("-my") and (names == ["my"] or not _without_page(names))
    if shown := query.get("id") or query.get("RootFolder"):
        return SitePath(url, _listed_host(query, host), tuple(_names(shown[0])))
    return OwnDrive(url, host) if own else SitePath(url, host, _without_page(names))


def _listed_host(query: dict[str, list[str]], host: str) -> str:
    """OneDrive's pages show the libraries of other hosts, too: `…-my.sharepoint.com/my?listurl=https://…&id=/sites/…`."""
    try:
        return (urlsplit(query.get("listurl", [""])[0]).hostname or host).lower()
    except ValueError:
        return host


def _without_page(names: list[str]) -> tuple[str, ...]:
    """The site, library or folder that a page belongs to."""
    for part in ("Forms", "_layouts", "SitePages"):
        if part in names and (part == "_layouts" or names[-1].lower().endswith(".aspx") or names[-1] == part):
            return tuple(names[: names.index(part)])
    return tuple(names[:-1] if names and names[-1].lower().endswith(".aspx") else names)


def _personal(url: str, host: str, parts: SplitResult) -> Pasted:
    names = _names(unquote(parts.path))
    if host == _LINKS:
        if not names:
            raise ConfigError(f"{url!r} is the beginning of a sharing link only: {_WANTED}")
        return SharingLink(url, host)
    query = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
    if "redeem" in query or "authkey" in query or names[:1] == ["embed"] or (names and _LINK.fullmatch(names[0])):
        return SharingLink(url, host)
    if host == _WEBDAV:
        return _place(url, host, names[0], names[1:]) if names else OwnDrive(url, host)
    item = query.get("id") or query.get("resid") or ""
    shown = _names(item) if item.startswith("/") else names
    if shown[:1] == ["personal"] and len(shown) > 1:
        # migrated drives look like SharePoint's: /personal/CID/Documents/…
        return _place(url, host, shown[1], _without_page(shown)[3:])
    drive_id, mark, _ = item.partition("!")
    drive_id = drive_id if mark else query.get("cid", "")
    if not drive_id:
        return OwnDrive(url, host)
    place = _place(url, host, drive_id, ())
    return PersonalPlace(url, host, place.drive_id, item if mark and not item.lower().endswith("!root") else "")


def _place(url: str, host: str, cid: str, names: list[str] | tuple[str, ...]) -> PersonalPlace:
    if not _CID.fullmatch(cid):
        raise ConfigError(f"{url!r} names no OneDrive: {_WANTED}")
    # a leading zero gets lost on the way (§12.3)
    return PersonalPlace(url, host, cid.lower().rjust(16, "0"), names=tuple(names))


def _names(path: str) -> list[str]:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names or not path.isprintable():
        raise ConfigError(f"the path of the address cannot be read: {_WANTED}")
    return names
