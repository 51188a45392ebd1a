"""The WSGI application: WsgiDAV with one provider a policy, and none of its own opinions on verbs, users or pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.wsgidav_app import WsgiDAVApp

from davbridge.dav import failure
from davbridge.dav.message import Mount, Shared
from davbridge.dav.provider import PolicyProvider, StartResponse, raw_path
from davbridge.dav.rootlist import Everybody, MountLists
from davbridge.errors import BadPath
from davbridge.paths import DavPath

WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class ToProvider(BaseMiddleware):  # type: ignore[misc] # WsgiDAV ships no types
    """The whole middleware stack: straight to the provider, unknown methods included."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer: Iterable[bytes] = environ["wsgidav.provider"].custom_request_handler(environ, start_response, None)
        return answer


def make_application(mounts: Sequence[Mount], shared: Shared) -> WSGIApplication:
    """The application for these mounts. It expects the user in `environ["davbridge.user"]`, empty for nobody, and the
    raw request target in `environ["REQUEST_URI"]`.
    """
    root = Mount("", "", MountLists(mounts, shared.clock.now()), Everybody())
    providers = {"/": PolicyProvider(root, shared)}
    providers |= {_share(DavPath.parse(mount.path)): PolicyProvider(mount, shared) for mount in mounts}
    wsgidav = WsgiDAVApp(
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
        try:
            path = "/" if environ["REQUEST_URI"] == "*" else _share(DavPath.parse(raw_path(environ)))
        except BadPath as error:
            response = failure.answer(error)
            body = list(response.body)
            headers = [*response.headers, ("Content-Length", str(len(b"".join(body))))]
            start_response(f"400 {HTTPStatus(400).phrase}", headers)
            return body
        # WsgiDAV finds the share by PATH_INFO, in its WSGI spelling; `OPTIONS *` is about the server: the root
        environ["PATH_INFO"] = path.encode().decode("latin-1")
        environ["SCRIPT_NAME"] = ""
        if environ["REQUEST_URI"] == "*":
            environ["REQUEST_URI"] = "/"
        # it would read on in a body that we did not want
        environ["wsgidav.all_input_read"] = environ["wsgidav.some_input_read"] = 1

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # WsgiDAV closes connections on which it sees no length; these two may not have one (RFC 9110 §8.6)
            if status[:3] in ("204", "304"):
                headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            return start_response(status, headers, exc_info)

        answer: Iterable[bytes] = wsgidav(environ, start)
        return answer

    return application


def _share(path: DavPath) -> str:
    """The path as WsgiDAV compares it with its shares: it looks a share up by the name in lower case."""
    return "/" + "/".join(path.folded).lower()
