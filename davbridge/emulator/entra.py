"""The Entra endpoints (§10): discovery, device code, authorisation code with PKCE, refresh, client credentials."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote

from davbridge.emulator.assertions import authenticate
from davbridge.emulator.calls import Call, Operation
from davbridge.emulator.httpd import Request, Response, json_response
from davbridge.emulator.refusal import Refused
from davbridge.emulator.world import TENANT, TENANT_ID, USER_ID, Token, World, secret

TOKEN_SECONDS = 3900
DEVICE_SECONDS = 900
_REGISTERED = re.compile(r"http://localhost(:\d+)?/?|https://login\.microsoftonline\.com/common/oauth2/nativeclient")
"""The application's redirect URIs: loopback with any port but no path, and the page to paste from (§10.2)."""


@dataclass
class Device:
    """A device code that waits for its person. `state`: pending, approved, declined."""

    user_code: str
    expires: datetime
    scope: str
    state: str = "pending"
    polled: datetime | None = None


@dataclass
class Code:
    """An authorisation code, good once."""

    challenge: str
    redirect: str
    nonce: str
    scope: str
    expires: datetime


@dataclass
class Entra:
    """The sign-in side. `devices` and `auto_approve` are for tests: who approves the device code, and when.

    `token_seconds`: how long tokens live. `rotates`: a refresh token is good once; a second use ends the sign-in, which
    Entra does not do to a program like ours, but a test sees by it that none is used twice, and none is lost.
    `redirects`: redirect URIs that are registered besides the usual ones. `busiest`: how many refreshes were under way
    at once, at most. `public_clients` off: §10.6, 7000218.
    """

    world: World
    devices: dict[str, Device] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    auto_approve: bool = True
    revoked: bool = False
    token_seconds: int = TOKEN_SECONDS
    rotates: bool = False
    reused: int = 0
    busiest: int = 0
    busy: int = 0
    public_clients: bool = True
    agreed: set[str] = field(default_factory=set)
    """The permissions that people have agreed to, at a sign-in; a refresh gets no others (§10.6, 65001)."""
    redirects: set[str] = field(default_factory=set)

    def application(self, request: Request) -> Response:
        operation, handler = self._route(request)
        status = 0
        try:
            action = self.world.faults.take(operation)
            response = (
                action.apply(request, lambda: self._safely(request, handler))
                if action
                else self._safely(request, handler)
            )
            status = response.status
            return response
        finally:
            self.world.calls.add(Call("login", operation, request.method, request.path, status))

    def _route(self, request: Request) -> tuple[Operation, Callable[[Request], Response]]:
        routes: tuple[tuple[str, Operation, Callable[[Request], Response]], ...] = (
            ("/.well-known/openid-configuration", "discovery", self._discovery),
            ("/oauth2/v2.0/token", "token", self._token),
            ("/oauth2/v2.0/devicecode", "device code", self._device_code),
            ("/oauth2/v2.0/authorize", "authorize", self._authorize),
        )
        for ending, operation, handler in routes:
            if request.path.endswith(ending):
                return operation, handler
        return "unknown", lambda _: Response(404, {"Content-Type": "text/html"}, b"<html>not found</html>")

    def _safely(self, request: Request, handler: Callable[[Request], Response]) -> Response:
        try:
            return handler(request)
        except Refused as refused:
            return refused.response()

    def _tenant(self, request: Request) -> str:
        tenant = request.path.split("/")[1].lower()
        if tenant not in (TENANT, TENANT_ID, "common", "organizations", "consumers"):
            raise Refused(
                "invalid_request", 90002, f"Tenant '{tenant}' not found. Check that you have the correct tenant ID."
            )
        return tenant

    def _discovery(self, request: Request) -> Response:
        tenant = self._tenant(request)
        base = f"https://{request.headers.get('host', '')}/{tenant}"
        return json_response(
            {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "issuer": f"{base}/v2.0",
            }
        )

    def _form(self, request: Request) -> dict[str, str]:
        form = dict(parse_qsl(request.body().decode(), keep_blank_values=True))
        if form.get("client_id") != self.world.client_id:
            raise Refused(
                "unauthorized_client",
                700016,
                f"Application with identifier '{form.get('client_id', '')}' was not found in the directory '{TENANT}'.",
            )
        return form

    def _token(self, request: Request) -> Response:
        self._tenant(request)
        form = self._form(request)
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            return self._client_credentials(request, form)
        if grant == "refresh_token":
            return self._refresh(form)
        if grant == "urn:ietf:params:oauth:grant-type:device_code":
            return self._poll(form)
        if grant == "authorization_code":
            return self._redeem(form)
        raise Refused("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.")

    def _client_credentials(self, request: Request, form: dict[str, str]) -> Response:
        if request.path.split("/")[1].lower() in ("common", "consumers"):
            raise Refused("invalid_request", 50059, "No tenant-identifying information found in the request.")
        authenticate(self.world, request, form)
        if not form.get("scope", "").endswith("/.default"):
            raise Refused("invalid_scope", 1002012, "The provided value for scope is not valid.")
        token = self.issue("", self.token_seconds, form.get("claims", ""))
        return json_response({"token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token})

    def issue(self, user: str, seconds: int = TOKEN_SECONDS, claims: str = "", scope: str | None = None) -> str:
        """A fresh access token; `user` empty for an application's own. `claims`: what was asked for (§10.8)."""
        token = "emulated." + secret(48)
        ends = self.world.clock.now() + timedelta(seconds=seconds)
        self.world.tokens[token] = Token(user, ends, claims=claims, scope=scope)
        return token

    def _for_user(self, scope: str, nonce: str = "", claims_wanted: str = "") -> Response:
        """Tokens for the emulated user; a new refresh token (rotation, §10.4) if `offline_access` was asked for."""
        user = self.world.user
        more = {}
        if "offline_access" in scope.split():
            more["refresh_token"] = "0.R" + secret(48)
            self.world.refresh_tokens[more["refresh_token"]] = user
        claims = {
            "preferred_username": user,
            "oid": person_id(user),
            "tid": TENANT_ID,
            "sub": "s",
        }
        claims |= {"aud": self.world.client_id, "iss": f"{self.world.login_url}/{TENANT_ID}/v2.0", "nonce": nonce}
        claims |= {"name": user.split("@")[0], "ver": "2.0"}
        info = {"uid": claims["oid"], "utid": TENANT_ID}
        return json_response(
            {
                "token_type": "Bearer",
                "scope": " ".join(one for one in scope.split() if one != "offline_access"),
                "expires_in": self.token_seconds,
                "ext_expires_in": self.token_seconds,
                "access_token": self.issue(user, self.token_seconds, claims_wanted, scope),
                "id_token": ".".join((_b64({"alg": "none"}), _b64(claims), "signature")),
                "client_info": _b64(info),
                **more,
            }
        )

    def _refresh(self, form: dict[str, str]) -> Response:
        with self.world.lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        try:
            time.sleep(0.002)  # so that two at once can be seen
            return self._exchange(form)
        finally:
            with self.world.lock:
                self.busy -= 1

    def _exchange(self, form: dict[str, str]) -> Response:
        given = form.get("refresh_token", "")
        with self.world.lock:
            user = self.world.refresh_tokens.get(given)
            if self.rotates and self.world.refresh_tokens.pop(given, None) is None:
                self.reused += 1
        if self.revoked:
            text = "The provided grant has expired due to it being revoked, a fresh auth token is needed."
            raise Refused("invalid_grant", 50173, text)
        if user is None:
            raise Refused("invalid_grant", 700082, "The refresh token has expired due to inactivity.")
        scope = form.get("scope", "")
        if not _permissions(scope) <= self.agreed:
            raise Refused("invalid_grant", 65001, "The user or administrator has not consented to use the application.")
        return self._for_user(scope + " offline_access", claims_wanted=form.get("claims", ""))

    def _device_code(self, request: Request) -> Response:
        self._tenant(request)
        scope = self._form(request).get("scope", "")
        if not self.public_clients:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Refused("invalid_client", 7000218, text, 401)
        if not scope:
            raise Refused("invalid_request", 900144, "The request body must contain the following parameter: 'scope'.")
        code = secret(24)
        user_code = secrets.token_hex(4).upper()
        expires = self.world.clock.now() + timedelta(seconds=DEVICE_SECONDS)
        self.devices[code] = Device(user_code, expires, scope)
        place = "https://microsoft.com/devicelogin"
        message = (
            f"To sign in, use a web browser to open the page {place} and enter the code {user_code} to authenticate."
        )
        body = {"user_code": user_code, "device_code": code, "verification_uri": place, "expires_in": DEVICE_SECONDS}
        return json_response({**body, "interval": 1, "message": message})

    def _poll(self, form: dict[str, str]) -> Response:
        device = self.devices.get(form.get("device_code", ""))
        now = self.world.clock.now()
        if device is None:
            raise Refused("bad_verification_code", 70018, "The device code is not recognised.")
        if device.expires < now:
            raise Refused("expired_token", 70020, "The device code has expired.")
        if device.state == "declined":
            raise Refused("authorization_declined", 70021, "The user has declined.")
        soon = device.polled is not None and now - device.polled < timedelta(seconds=0.5)
        first = device.polled is None
        device.polled = now
        if soon:
            raise Refused("slow_down", 70022, "Poll less often.")
        # the first poll is always too early: nobody types that fast
        if first or not (device.state == "approved" or self.auto_approve):
            raise Refused("authorization_pending", 70016, "The user has not signed in yet.")
        del self.devices[form["device_code"]]
        self.agreed |= _permissions(device.scope)
        return self._for_user(device.scope, claims_wanted=form.get("claims", ""))

    def _authorize(self, request: Request) -> Response:
        query = request.query
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            raise Refused("invalid_request", 9002325, "Proof Key for Code Exchange is required.")
        redirect = query.get("redirect_uri", "")
        registered = redirect in self.redirects or _REGISTERED.fullmatch(redirect)
        if query.get("client_id") != self.world.client_id or not registered:
            # never by redirect: the address is not to be trusted
            raise Refused("invalid_request", 50011, f"The redirect URI '{redirect}' does not match the registration.")
        code = secret(24)
        expires = self.world.clock.now() + timedelta(minutes=1)
        self.codes[code] = Code(
            query.get("code_challenge", ""), redirect, query.get("nonce", ""), query.get("scope", ""), expires
        )
        return Response(302, {"Location": f"{redirect}?code={code}&state={quote(query.get('state', ''))}"})

    def _redeem(self, form: dict[str, str]) -> Response:
        code = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if code is None or code.expires < self.world.clock.now():
            raise Refused("invalid_grant", 70008, "The provided authorization code has expired.")
        if code.challenge != challenge or code.redirect != form.get("redirect_uri"):
            raise Refused("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
        self.agreed |= _permissions(code.scope)
        return self._for_user(code.scope, code.nonce, form.get("claims", ""))


def person_id(user: str) -> str:
    """A person's object id."""
    return USER_ID if user.startswith("alice@") else str(uuid.uuid5(uuid.NAMESPACE_DNS, user))


def _permissions(scope: str) -> set[str]:
    return {one.lower() for one in scope.split()} - {"openid", "profile", "email", "offline_access"}


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
