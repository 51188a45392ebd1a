"""The Graph host and the content host: from a request to its handler; tokens, throttling, faults and counting."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

from davbridge.emulator import copies, downloads, items, permissions, uploads, versions
from davbridge.emulator import delta as deltas
from davbridge.emulator.addressing import Target, resolve
from davbridge.emulator.answers import answer, context, refuse
from davbridge.emulator.batch import batch
from davbridge.emulator.calls import Call, Kind, Operation
from davbridge.emulator.channels import PATH as SOCKET_PATH
from davbridge.emulator.channels import connect, socket_io
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request
from davbridge.emulator.sites import MOST, search, site_json
from davbridge.emulator.subscriptions import handle as handle_subscription
from davbridge.emulator.subscriptions import notify
from davbridge.emulator.throttle import charge
from davbridge.emulator.views import drive_json
from davbridge.emulator.world import World

Handler = Callable[[World, Target, Request], Response]

_CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)

_RAW = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
"""A path in which everything is encoded that has to be (§1.3)."""

_ACTIONS: dict[tuple[str, str], tuple[Operation, Handler]] = {
    ("GET", ""): ("get item", items.get_item),
    ("HEAD", ""): ("get item", items.get_item),
    ("PATCH", ""): ("update item", items.update_item),
    ("DELETE", ""): ("delete item", items.delete_item),
    ("GET", "children"): ("list children", items.list_children),
    ("POST", "children"): ("create folder", items.create_child),
    ("GET", "content"): ("get content", downloads.redirect),
    ("PUT", "content"): ("put content", uploads.put_content),
    ("POST", "createUploadSession"): ("create session", uploads.create_session),
    ("PUT", ""): ("commit by url", uploads.commit_by_url),
    ("POST", "createLink"): ("create link", permissions.create_link),
    ("POST", "copy"): ("copy item", copies.copy_item),
    ("POST", "permanentDelete"): ("delete item", items.permanent_delete),
    ("POST", "restore"): ("restore", items.restore),
    ("POST", "checkout"): ("checkout", items.checkout),
    ("POST", "checkin"): ("checkin", items.checkout),
    ("POST", "discardCheckout"): ("discard checkout", items.checkout),
}

_OF_SESSIONS: dict[str, Operation] = {
    "PUT": "put fragment",
    "GET": "get session",
    "DELETE": "delete session",
    "POST": "commit session",
}


def graph_application(world: World) -> Callable[[Request], Response]:
    """The Graph host: everything below `/v1.0`."""

    def application(request: Request) -> Response:
        return _recorded(world, "graph", request, lambda: _graph(world, request))

    return application


def content_application(world: World) -> Callable[[Request], Response]:
    """The host of pre-authenticated URLs: uploads, downloads, monitors. None of them takes a token."""

    def application(request: Request) -> Response:
        kinds: dict[str, Kind] = {"upload": "upload", "monitor": "monitor", "socket.io": "socket"}
        kind = kinds.get(request.path.split("/")[1], "download")
        return _recorded(world, kind, request, lambda: _content(world, kind, request))

    return application


Routed = tuple[Operation, Callable[[], Response]]


def _recorded(world: World, kind: Kind, request: Request, route: Callable[[], Routed]) -> Response:
    operation: Operation = "unknown"
    status = 0
    try:
        copies.settle_copies(world)
        world.rewrite()
        try:
            operation, run = route()
            action = world.fault(operation, graph=kind == "graph")
            response = action.apply(request, run) if action is not None else run()
        except Problem as problem:
            response = refuse(request, problem, small=kind != "graph")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # JSON of another shape than a handler reads, bytes that are no UTF-8
            response = refuse(request, bad_request(f"The request is malformed: {type(error).__name__}"))
        status = response.status
        return response
    finally:
        if "authorization" in request.headers and kind != "graph":
            world.calls.leaks.append(operation)
        world.calls.add(Call(kind, operation, request.method, request.path, status))
        notify(world)


def _content(world: World, kind: Kind, request: Request) -> Routed:
    parts = [unquote(part) for part in request.path.split("/")[1:]]
    if request.path == SOCKET_PATH:
        return "socket", lambda: connect(world, request)
    if kind == "monitor" and len(parts) == 2:
        return "monitor", lambda: copies.monitor(world, parts[1], request)
    if kind == "upload" and len(parts) == 2:
        operation = _OF_SESSIONS.get(request.method, "unknown")

        def fragment() -> Response:
            headers = charge(world, operation, request) if operation == "put fragment" else {}
            return _with(uploads.session_request(world, parts[1], request), headers)

        return operation, fragment
    if parts[0] == "download" and len(parts) in (3, 4) and request.method in ("GET", "HEAD"):
        return "download", lambda: downloads.download(world, parts[1:], request)
    raise Problem(404, "itemNotFound", "There is nothing here")


def _graph(world: World, request: Request) -> Routed:
    if not request.path.startswith(("/v1.0/", "/beta/")):
        raise bad_request("Invalid version")
    if not _RAW.fullmatch(request.path):
        raise bad_request("The URL is not encoded", inner="invalidPath")
    path = request.path[request.path.index("/", 1) :]
    if path == "/$batch" and request.method == "POST":
        _authorise(world, request)
        return "batch", lambda: batch(request, lambda inner: _inner(world, inner))
    return dispatch(world, request, path)


def _inner(world: World, request: Request) -> Response:
    """A request of a batch: charged, and hit by faults, as if it came alone (§6)."""
    operation, run = dispatch(world, request)
    action = world.fault(operation)
    return action.apply(request, run) if action is not None else run()


def dispatch(world: World, request: Request, path: str | None = None) -> Routed:
    """The operation's name, and how to run it. Raises `Problem` where no operation can be named."""
    path = request.path[request.path.index("/", 1) :] if path is None else path
    try:
        operation, handler = _operation(request.method, path)
    except Problem:
        _authorise(world, request)
        raise

    def run() -> Response:
        user = _authorise(world, request)
        headers = charge(world, operation, request)
        try:
            _check_scope(world, path, request)
            if operation == "subscriptions":
                response = handle_subscription(world, path, request, user)
            else:
                target = resolve(world, path, user)
                target.stale_seconds = world.quirks.stale_seconds
                response = handler(world, target, request)
        except Problem as problem:
            problem.headers.update(headers)
            raise
        return _with(response, headers)

    return operation, run


def _with(response: Response, headers: dict[str, str]) -> Response:
    return Response(**{**vars(response), "headers": {**response.headers, **headers}}) if headers else response


def _operation(method: str, path: str) -> tuple[Operation, Handler]:
    """Named from the path's form alone, so that a fault can hit a call whose item does not exist."""
    found = re.search(r"(?:/items/[^/:]+|(?<!/sites)/root|/special/[^/:]+|/driveItem)(?::/[^:]*)?:?(?:/(.*))?$", path)
    if path.startswith("/subscriptions"):
        return "subscriptions", _place
    if "/search(" in path:
        return "search", items.search
    if not found:
        return "get drive or site", _place
    action = found[1] or ""
    if action.startswith("delta"):
        return "delta", deltas.delta
    if action == "subscriptions/socketIo" and method == "GET":
        return "socket.io", lambda world, target, request: socket_io(world, target.on(), request)
    if action.startswith("permissions"):
        return "permissions", permissions.permissions
    if action.startswith("versions"):
        return "versions", versions.versions
    known = _ACTIONS.get((method, action))
    if known is None:
        raise bad_request("API not found")
    return known


def _place(world: World, target: Target, request: Request) -> Response:
    """Drives, sites and users."""
    no_quota = world.quirks.no_quota
    if request.method not in ("GET", "HEAD"):
        raise Problem(405, "Request_BadRequest", "The method is not allowed")
    if target.collection == "drives" and target.site is not None:
        return answer(
            request,
            200,
            {
                **context(request, "drives"),
                "value": [drive_json(drive, no_quota=no_quota) for drive in target.site.drives],
            },
        )
    if target.collection == "drives":
        return answer(
            request,
            200,
            {**context(request, "drives"), "value": [drive_json(world.drives["business"], no_quota=no_quota)]},
        )
    if target.collection == "sites":
        return _found_sites(world, request)
    if target.collection == "followed sites":
        return answer(request, 200, {**context(request, "sites"), "value": [site_json(world.site)]})
    if target.collection == "me":
        return answer(request, 200, {"userPrincipalName": world.user, "displayName": world.user.split("@")[0]})
    if target.site is not None:
        return answer(request, 200, context(request, "sites/$entity") | site_json(target.site))
    if target.start is not None:
        return items.get_item(world, target, request)
    return answer(request, 200, context(request, "drives/$entity") | drive_json(target.on(), no_quota=no_quota))


def _found_sites(world: World, request: Request) -> Response:
    wanted = request.query.get("search", "")
    if not wanted:
        raise bad_request("Listing all sites is for applications: use search", inner="invalidQueryOption")
    found = search(world, wanted)
    start = int(request.query.get("$skiptoken", "0"))
    body: dict[str, object] = {**context(request, "sites")}
    body["value"] = [site_json(site) for site in found[start : start + MOST]]
    if len(found) > start + MOST:
        base = f"https://{request.headers.get('host', '')}/v1.0/sites"
        body["@odata.nextLink"] = f"{base}?search={quote(wanted)}&$skiptoken={start + MOST}"
    return answer(request, 200, body)


def _check_scope(world: World, path: str, request: Request) -> None:
    """A person's token opens sites only with a permission for sites (§10.3).

    Raises:
        Problem: 403.
    """
    token = world.tokens[request.headers["authorization"].partition(" ")[2]]
    about_sites = re.match(r"/sites|/shares/[^/]+/site|/me/followedSites", path)
    if about_sites and token.user and token.scope is not None and "/Sites." not in token.scope:
        raise Problem(403, "accessDenied", "Access denied")


def _authorise(world: World, request: Request) -> str:
    """The token's user; empty for an application.

    Raises:
        Problem: 401, with a claims challenge when one is set (§10.8).
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    token = world.tokens.get(value) if scheme.lower() == "bearer" else None
    dead = token is None or not token.good or token.expires < world.clock.now()
    if token is None or dead or not _has_claims(token.claims, world.claims_challenge):
        text = "Access token has expired or is not yet valid." if value else "Access token is empty."
        challenge = _CHALLENGE
        if world.claims_challenge:
            challenge += f', error="insufficient_claims", claims="{world.claims_challenge}"'
        raise Problem(401, "InvalidAuthenticationToken", text, headers={"WWW-Authenticate": challenge})
    return token.user


def _has_claims(asked: str, challenge: str) -> bool:
    """Whether a token was asked for with what the challenge wants (base64 of JSON; §10.8)."""
    if not challenge:
        return True
    wanted = json.loads(base64.b64decode(challenge)).get("access_token", {})
    given = json.loads(asked or "{}").get("access_token", {})
    return all(given.get(name) == value for name, value in wanted.items())
