"""SEARCH (RFC 5323) in the grammar `basicsearch`: find items by name, size, times and type, without a tree walk.

Any item answers for its mount: the URL is where a relative scope begins, and scopes lie in the same mount. A search
needs a drive whose tree is known; where nobody watches it, 403.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from davbridge.dav.basicsearch import read_query
from davbridge.dav.conditions import tagged_path
from davbridge.dav.message import Request, Response
from davbridge.dav.multistatus import MOST, Multistatus, everything, named
from davbridge.dav.propfind.wanted import Wanted
from davbridge.dav.refusal import Refusal
from davbridge.dav.searchschema import schema_response
from davbridge.dav.xmlbody import DAV, elements, read_xml
from davbridge.drivers.matching import Found, select
from davbridge.drivers.protocol import Searches
from davbridge.errors import NotFound
from davbridge.paths import DavPath
from davbridge.query import Query

_DEPTHS = {"0": 0, "1": 1, "infinity": 2}


def handle(request: Request) -> Response:
    """207 with what was found, in order. A 507 for the request's own URL says that we left some out (§2.3.1)."""
    root = read_xml(request)
    if root is None or root.tag not in (DAV + "searchrequest", DAV + "query-schema-discovery"):
        raise Refusal(400, "the body is not a searchrequest element")
    grammars = elements(root)
    if len(grammars) != 1:
        raise Refusal(400, "a search request holds one query")
    search = grammars[0]
    if search.tag != DAV + "basicsearch":
        raise Refusal(422, "only the grammar basicsearch is known here", condition="search-grammar-supported")
    href, depth = _scope(search)
    path = _path(request, href)
    if root.tag == DAV + "query-schema-discovery":
        _require(request, path, href)
        return Multistatus(request, everything()).response([schema_response(href)])
    query, wanted = read_query(search), _wanted(request, search)
    limit = min(query.limit or MOST, MOST)
    found = _search(request, path, href, depth, replace(query, limit=limit + 1))
    answer = Multistatus(request, wanted)
    for where, item in found[:limit]:
        answer.add(where, item)
    if len(found) > limit == MOST and query.limit != MOST:
        answer.add_truncation(f"Only {MOST} items are shown: search for less.")
    return answer.response()


def _scope(search: Any) -> tuple[str, int]:
    origin = search.find(DAV + "from")
    scopes = origin.findall(DAV + "scope") if origin is not None else []
    if not scopes:
        raise Refusal(400, "the search has no scope")
    if len(scopes) > 1:
        raise Refusal(422, "a search has one scope here", condition="search-multiple-scope-supported")
    if scopes[0].find(DAV + "include-versions") is not None:
        raise Refusal(422, "versions are not searched")
    href = (scopes[0].findtext(DAV + "href") or "").strip()
    depth = (scopes[0].findtext(DAV + "depth") or "").strip()
    if depth not in _DEPTHS:
        raise Refusal(400, "the depth of a scope is 0, 1 or infinity")
    return href, _DEPTHS[depth]


def _path(request: Request, href: str) -> DavPath:
    """The scope, absolute or relative to the request's URL, below the mount (§5.4.1)."""
    own = request.prefix
    absolute = href if "://" in href else urljoin(own, href or own)
    path = tagged_path(request, absolute)
    if path is None:
        raise Refusal(409, "the scope is outside this mount", condition="search-scope-valid", hrefs=[href])
    return request.spelled(path)


def _require(request: Request, path: DavPath, href: str) -> Found:
    """The item where the search begins."""
    try:
        return path, request.driver.stat(path)
    except NotFound:
        raise Refusal(409, "the scope does not exist", condition="search-scope-valid", hrefs=[href]) from None


def _wanted(request: Request, search: Any) -> Wanted:
    chosen = search.find(DAV + "select")
    if chosen is None:
        raise Refusal(400, "the search selects no properties")
    if chosen.find(DAV + "allprop") is not None:
        return everything()
    prop = chosen.find(DAV + "prop")
    if prop is None:
        raise Refusal(400, "the search selects no properties")
    return named(request, prop)


def _search(request: Request, path: DavPath, href: str, depth: int, query: Query) -> list[Found]:
    """What is found below the scope, and in its place in the order the scope itself, which is a part of it (§5.4)."""
    driver = request.driver
    start = _require(request, path, href)
    if not isinstance(driver, Searches):
        raise Refusal(403, "this tree cannot be searched")
    below = list(driver.search(path, query, deep=depth > 1)) if depth and start[1].is_folder else []
    itself = select([start], query)
    # sorting is stable: what was found keeps its order
    return select([*itself, *below], Query(order=query.order, limit=query.limit)) if itself else below
