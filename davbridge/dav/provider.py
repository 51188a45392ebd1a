"""The WsgiDAV provider of one policy: it takes every request of its mount and hands it to the verb's own file.

WsgiDAV gives the application frame, the shares and the resource interfaces. Its request server is passed by: it looks
an item up several times for each verb, reads Destination and If wrongly, and answers before it knows (facts: stack
W1–W19).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from wsgidav.dav_provider import DAVProvider

from davbridge import caller, deadline
from davbridge.dav import failure
from davbridge.dav.message import Mount, Request, Response, Shared
from davbridge.dav.refusal import Refusal
from davbridge.dav.resources import FileResource, FolderResource
from davbridge.dav.verbs import (
    copy,
    delete,
    get,
    lock,
    mkcol,
    move,
    options,
    propfind,
    proppatch,
    put,
    report,
    search,
    unlock,
)
from davbridge.errors import NotFound
from davbridge.paths import DavPath

log = logging.getLogger(__name__)
StartResponse = Callable[..., Any]
Verb = Callable[[Request], Response]

VERBS: dict[str, Verb] = {
    "OPTIONS": options.handle,
    "GET": get.handle,
    "HEAD": get.handle,
    "PROPFIND": propfind.handle,
    "PROPPATCH": proppatch.handle,
    "PUT": put.handle,
    "MKCOL": mkcol.handle,
    "DELETE": delete.handle,
    "COPY": copy.handle,
    "MOVE": move.handle,
    "LOCK": lock.handle,
    "UNLOCK": unlock.handle,
    "REPORT": report.handle,
    "SEARCH": search.handle,
}
_WRITING = frozenset({"PROPPATCH", "PUT", "MKCOL", "DELETE", "MOVE"})
_SLOW = _WRITING | {"COPY"}
_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_SECURITY = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]


class PolicyProvider(DAVProvider):  # type: ignore[misc] # WsgiDAV ships no types
    """Serves one mount. `shared` is the same for all mounts; `verbs` is what can be done there."""

    def __init__(self, mount: Mount, shared: Shared, verbs: Mapping[str, Verb] = VERBS) -> None:
        super().__init__()
        self._mount = mount
        self._shared = shared
        self._verbs = verbs
        self._depth = len(DavPath.parse(mount.path).names)

    def is_readonly(self) -> bool:
        """Rights differ from user to user; each verb looks."""
        return False

    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> FileResource | FolderResource | None:
        """The item as a WsgiDAV resource, for parts of WsgiDAV, or middleware, that want one; `path` is decoded."""
        driver = self._mount.driver.for_user(environ.get("davbridge.user", ""))
        where = DavPath(tuple(name for name in path.split("/") if name))
        try:
            item = driver.stat(where)
        except NotFound:
            return None
        kind = FolderResource if item.is_folder else FileResource
        return kind(path, environ, driver, where, item)

    def custom_request_handler(
        self, environ: dict[str, Any], start_response: StartResponse, default_handler: object
    ) -> Iterable[bytes]:
        """Answer one request (WsgiDAV's hook, #55)."""
        response = self._answer(environ)
        headers = [*response.headers, *_SECURITY]
        body = response.body
        if response.status in (204, 304):
            # these two may not have a length (RFC 9110 §8.6)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        elif not response.streamed and "Content-Length" not in dict(response.headers):
            if not isinstance(body, list | tuple):
                raise TypeError("a body of unknown length needs its Content-Length")
            headers.append(("Content-Length", str(sum(map(len, body)))))
        start_response(_LINES[response.status], headers)
        if environ["REQUEST_METHOD"] == "HEAD" or response.status in (204, 304):
            if hasattr(body, "close"):
                body.close()
            return []
        return body

    def _answer(self, environ: dict[str, Any]) -> Response:
        seconds = deadline.WRITE_SECONDS if environ["REQUEST_METHOD"] in _SLOW else deadline.READ_SECONDS
        caller.serve(environ.get("davbridge.user", ""), environ["REQUEST_METHOD"])
        with deadline.within(self._shared.clock, seconds):
            try:
                request = self._request(environ)
                return _verb(request, self._verbs)(request)
            except Exception as error:
                return failure.answer(error)

    def _request(self, environ: dict[str, Any]) -> Request:
        user = environ.get("davbridge.user", "")
        whole: DavPath = environ["davbridge.path"]
        request = Request(
            environ=environ,
            method=environ["REQUEST_METHOD"],
            mount=self._mount,
            path=DavPath(whole.names[self._depth :]),
            prefix=environ["davbridge.raw"],
            user=user,
            driver=self._mount.driver.for_user(user),
            shared=self._shared,
        )
        request.path = request.spelled(request.path)
        return request


def raw_path(environ: dict[str, Any]) -> str:
    """The request's path as it came, percent-encoded, without query; the edge puts it into REQUEST_URI.

    Of several slashes at its beginning one is left: an href may not begin with two, since it would name a host.
    """
    raw = str(environ["REQUEST_URI"]).partition("?")[0]
    if not raw.startswith("/"):  # absolute form (RFC 9112 §3.2.2); in a path, `://` is part of names
        raw = raw.partition("://")[2].partition("/")[2]
    return "/" + raw.lstrip("/")


def _verb(request: Request, verbs: Mapping[str, Verb]) -> Verb:
    verb = verbs.get(request.method)
    if verb is None and request.method == "PATCH":
        # sabre's partial update: 405 would say that another URL of ours may take it (RFC 9110 §15.6.2)
        raise Refusal(501, "a part of a file cannot be stored; send the whole", headers=[("Connection", "close")])
    if verb is None:
        raise Refusal(405, "the method is not known here", headers=[("Allow", ", ".join(verbs))])
    if verb is not options.handle and request.mount.access.get(request.user) is None:
        raise Refusal(403, "this mount is not open to you")
    if request.method in _WRITING and not request.may_write:
        raise Refusal(403, "this mount is read-only for you")
    if request.method == "COPY" and not request.may_write:
        raise Refusal(403, "this mount is read-only for you")
    return verb
