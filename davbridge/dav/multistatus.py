"""The answers of REPORT and SEARCH: items from anywhere in a mount, each with the properties that were asked for.

PROPFIND's parts write the items of one folder at a time; here there is one for each folder from which something comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any

from davbridge.dav.message import Request, Response
from davbridge.dav.properties import IN_ALLPROP, LOCKS
from davbridge.dav.propfind import wanted as asked
from davbridge.dav.propfind.answer import respond
from davbridge.dav.propfind.folder import Folder, write_own
from davbridge.dav.propfind.hrefs import escaped_href
from davbridge.dav.propfind.render import TAIL, Page
from davbridge.dav.propfind.wanted import Wanted
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements
from davbridge.drivers.protocol import Item
from davbridge.paths import DavPath

MOST = 10_000
"""Items in one answer; the rest is asked for with the next token, or by a narrower search."""


def named(request: Request, prop: Any) -> Wanted:
    """What a `prop` element asks for."""
    no_quota = asked.stalls_on_quota(request.agent)
    return asked.named([child.tag for child in elements(prop)], no_quota=no_quota)


def everything() -> Wanted:
    """What `allprop` asks for."""
    return Wanted(IN_ALLPROP, LOCKS, all_dead=True, show_missing=False)


def limit_of(node: Any) -> int | None:
    """The number in a `limit` element's `nresults`; None without the element.

    Raises:
        Refusal: 400 for anything that is not a positive number.
    """
    if node is None:
        return None
    text = (node.findtext(DAV + "nresults") or "").strip()
    if not (text.isascii() and text.isdigit() and int(text[:10])):
        raise Refusal(400, "the limit is not a positive number")
    return int(text[:10])


class Multistatus:
    """Collects the response elements of one answer."""

    def __init__(self, request: Request, wanted: Wanted) -> None:
        self._request = request
        self._wanted = wanted
        self._page = Page(request, wanted)
        self._folders: dict[DavPath, Folder] = {}
        self._parts: list[str] = []

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, path: DavPath, item: Item) -> None:
        """An item with its properties; `path` below the mount."""
        if path.is_root:
            request = replace(self._request, path=path, prefix=self._href(path, folder=True))
            base = escaped_href(request.prefix)
            self._parts.append(write_own(request, self._wanted, self._page, base, item))
            return
        parent = path.parent
        folder = self._folders.get(parent)
        if folder is None:
            base = escaped_href(self._href(parent, folder=True))
            folder = self._folders[parent] = Folder(self._request, self._wanted, self._page, parent, base)
        self._parts.append(folder.write([item]))

    def add_status(self, path: DavPath, status: str, condition: str = "", *, folder: bool) -> None:
        """A path with nothing but a status, and the condition that was not met."""
        href = escape(self._href(path, folder=folder))
        error = f"<D:error><D:{condition}/></D:error>" if condition else ""
        self._parts.append(
            f"<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 {status}</D:status>{error}</D:response>\n"
        )

    def add_truncation(self, why: str, condition: str = "") -> None:
        """That there is more than this: 507 for the request's own URL (RFC 6578 §3.6, RFC 5323 §2.3.1)."""
        error = f"<D:error><D:{condition}/></D:error>" if condition else ""
        self._parts.append(
            f"<D:response><D:href>{escape(self._request.prefix)}</D:href>"
            f"<D:status>HTTP/1.1 507 Insufficient Storage</D:status>{error}"
            f"<D:responsedescription>{why}</D:responsedescription></D:response>\n"
        )

    def response(self, tail: Iterable[str] = ()) -> Response:
        """207 with all of it; `tail` are elements after the responses."""
        text = "".join((*self._parts, *tail)).encode("utf-8", "replace")
        return respond(self._request, [self._page.head + text + TAIL])

    def _href(self, path: DavPath, *, folder: bool) -> str:
        """The request's own spelling as far as it goes, so that a client finds its URLs again."""
        own = self._request.path
        if path.names[: len(own.names)] != own.names:
            return self._request.href(path, collection=folder)
        rest = path.relative_to(own).url(collection=folder)
        return self._request.prefix.rstrip("/") + rest if path != own or folder else self._request.prefix
