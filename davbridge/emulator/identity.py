"""The identity endpoint of an Azure machine (IMDS) and of App Service: plain HTTP on the machine itself (§10.9)."""

from __future__ import annotations

from collections.abc import Callable

from davbridge.emulator.calls import Call
from davbridge.emulator.entra import Entra
from davbridge.emulator.httpd import Request, Response, json_response
from davbridge.emulator.world import World

IMDS = "/metadata/identity/oauth2/token"
APP_SERVICE = "/msi/token"
SECONDS = 86400


def identity_application(world: World, entra: Entra) -> Callable[[Request], Response]:
    """Tokens for the machine. `world.identities`: the client ids of user-assigned identities."""

    def application(request: Request) -> Response:
        response = Response(404)
        try:
            action = world.faults.take("identity")
            response = (
                action.apply(request, lambda: _answer(world, entra, request))
                if action
                else _answer(world, entra, request)
            )
            return response
        finally:
            world.calls.add(Call("login", "identity", request.method, request.path, response.status))

    return application


def _answer(world: World, entra: Entra, request: Request) -> Response:
    if request.path == IMDS:
        if request.headers.get("metadata") != "true" or "x-forwarded-for" in request.headers:
            return _refusal("invalid_request", "Required metadata header not specified")
    elif request.path != APP_SERVICE or request.headers.get("x-identity-header") != world.identity_header:
        return Response(404, {"Content-Type": "text/html"}, b"<html>not found</html>")
    who = request.query.get("client_id", "")
    if who and who not in world.identities:
        return _refusal("invalid_request", "Identity not found")
    if not request.query.get("resource", "").startswith("https://localhost:"):
        return _refusal("invalid_resource", "AADSTS500011: The resource principal was not found in the tenant")
    token, ends = entra.issue("", SECONDS), world.clock.now().timestamp() + SECONDS
    # numbers come as strings
    body = {"access_token": token, "expires_in": str(SECONDS), "expires_on": str(int(ends)), "token_type": "Bearer"}
    return json_response({**body, "resource": request.query["resource"], "client_id": who})


def _refusal(error: str, text: str) -> Response:
    return json_response({"error": error, "error_description": text}, 400)
