"""The WSGI application: WsgiDAV with one provider a policy, and none of its own opinions on verbs, users or pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.wsgidav_app import WsgiDAVApp

from davbridge.dav import failure
from davbridge.dav.message import Mount, Shared
from davbridge.dav.nextcloud import Places
from davbridge.dav.provider import PolicyProvider, StartResponse, raw_path
from davbridge.dav.rootlist import Everybody, MountLists
from davbridge.errors import BadPath
from davbridge.paths import DavPath
from davbridge.store.chunks import ChunkStore

_REMEMBERED_LENGTH = 1024
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Frame(WsgiDAVApp):  # type: ignore[misc] # WsgiDAV ships no types
    """WsgiDAV's application, with its configuration and its shares, and the shortest way from them to the provider.

    Its own way costs as much as an answer from the mirror does. It normalises the path, which is done here already, and
    looks through each response: it closes the connection where it sees no length, which a listing that is streamed
    does not have, and where it believes that the request's body was not read, which the edge knows better.
    """

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Hand the request to the provider of its share; `PATH_INFO` is decoded text here, not WSGI's Latin-1."""
        path = environ["PATH_INFO"]
        share, provider = self.resolve_provider(environ.pop("davbridge.share"))
        environ["wsgidav.app"] = self
        environ["wsgidav.config"] = self.config
        environ["wsgidav.provider"] = provider
        environ["wsgidav.verbose"] = self.verbose
        if share and share != "/":
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = share, path[len(share) :]
        answer: Iterable[bytes] = self.application(environ, start_response)
        return answer


class ToProvider(BaseMiddleware):  # type: ignore[misc] # WsgiDAV ships no types
    """The whole middleware stack: straight to the provider, unknown methods included."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer: Iterable[bytes] = environ["wsgidav.provider"].custom_request_handler(environ, start_response, None)
        return answer


def make_application(mounts: Sequence[Mount], shared: Shared, chunks: ChunkStore | None = None) -> WSGIApplication:
    """The application for these mounts. It expects the user in `environ["davbridge.user"]`, empty for nobody, and the
    raw request target in `environ["REQUEST_URI"]`. With `chunks` Nextcloud's addresses are there, too.
    """
    nextcloud = Places(mounts, shared, chunks) if chunks is not None else None
    root = Mount("", "", MountLists(mounts, shared.clock.now()), Everybody())
    providers = {"/": PolicyProvider(root, shared)}
    providers |= {_share(DavPath.parse(mount.path)): PolicyProvider(mount, shared) for mount in mounts}
    frame = Frame(
        {
            "provider_mapping": providers,
            "middleware_stack": [ToProvider],
            "lock_storage": False,
            "property_manager": False,
            "http_authenticator": {"domain_controller": None},
            "simple_dc": {"user_mapping": {"*": True}},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # `OPTIONS *` is about the server: the root
        if environ["REQUEST_URI"] == "*":
            environ["REQUEST_URI"] = "/"
        try:
            raw = environ["davbridge.raw"] = raw_path(environ)
            read = _remembered if len(raw) <= _REMEMBERED_LENGTH else _read
            environ["davbridge.path"], environ["davbridge.share"], environ["PATH_INFO"] = read(raw)
        except BadPath as error:
            response = failure.answer(error)
            body = list(response.body)
            headers = [*response.headers, ("Content-Length", str(len(b"".join(body))))]
            start_response(f"400 {HTTPStatus(400).phrase}", headers)
            return body
        environ["SCRIPT_NAME"] = ""
        path, user = environ["davbridge.path"], environ.get("davbridge.user", "")
        answer: Iterable[bytes]
        if nextcloud and (provider := nextcloud.provider(path, user)):
            answer = provider.custom_request_handler(environ, start_response, None)
        else:
            answer = frame(environ, start_response)
        return answer

    return application


def _read(raw: str) -> tuple[DavPath, str, str]:
    """A raw path as a path, as `_share` has it, and as decoded text. Raises: BadPath."""
    path = DavPath.parse(raw)
    return path, _share(path), str(path)


_remembered = lru_cache(1024)(_read)  # clients come again to the same few paths, and reading one takes 5 µs


def _share(path: DavPath) -> str:
    """The path as WsgiDAV compares it with its shares: it looks a share up by the name in lower case."""
    return "/" + "/".join(path.folded).lower()
