"""Webhooks (§5.2): the handshake, lifetimes, and a POST after each change."""

from __future__ import annotations

import json
import re
import secrets
import threading
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from davbridge.emulator.answers import answer, context, read_json, read_time
from davbridge.emulator.clock import text
from davbridge.emulator.drives import Drive
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request, not_found
from davbridge.emulator.views import Json
from davbridge.emulator.world import TENANT_ID

if TYPE_CHECKING:
    from davbridge.emulator.world import World

LONGEST = timedelta(minutes=42_300)
_PATIENCE = 10.0
_LOOPBACK = ("127.0.0.1", "localhost")


@dataclass
class Subscription:
    """A webhook. `seen` is the drive's sequence that was told last."""

    id: str
    drive: Drive
    resource: str
    url: str
    state: str
    expires: datetime
    seen: int

    def json(self) -> Json:
        """As the API shows it."""
        return {
            "id": self.id,
            "resource": self.resource,
            "changeType": "updated",
            "notificationUrl": self.url,
            "clientState": self.state,
            "expirationDateTime": text(self.expires),
        }


def handle(world: World, path: str, request: Request, user: str) -> Response:
    """`/subscriptions` and `/subscriptions/{id}`."""
    found = re.fullmatch(r"/subscriptions(?:/([^/]+))?", path)
    if found and not found[1] and request.method == "POST":
        return _create(world, request, user)
    if found and not found[1] and request.method == "GET":
        living = [one.json() for one in world.subscriptions.values() if one.expires >= world.clock.now()]
        return answer(request, 200, {**context(request, "subscriptions"), "value": living})
    subscription = world.subscriptions.get(found[1]) if found and found[1] else None
    if subscription is None or subscription.expires < world.clock.now():
        raise not_found("The subscription does not exist.")
    if request.method == "DELETE":
        del world.subscriptions[subscription.id]
        return answer(request, 204)
    if request.method == "PATCH":
        subscription.expires = _expiry(world, read_json(request).get("expirationDateTime"))
    return answer(request, 200, context(request, "subscriptions/$entity") | subscription.json())


def _create(world: World, request: Request, user: str) -> Response:
    from davbridge.emulator.addressing import resolve  # noqa: PLC0415 - it needs the world, which holds us

    body = read_json(request)
    if body.get("changeType") != "updated":
        raise bad_request("Drives support only the changeType updated")
    resource = str(body.get("resource", ""))
    target = resolve(world, resource if resource.startswith("/") else f"/{resource}", user)
    drive = target.on()
    if drive.business and target.item() is not drive.root:
        raise bad_request("Only the root of the drive can be subscribed to")
    expires = _expiry(world, body.get("expirationDateTime"))
    url = str(body.get("notificationUrl", ""))
    state = str(body.get("clientState", ""))
    if len(state) > 128:
        raise bad_request("The clientState is longer than 128 characters")
    for other in world.subscriptions.values():
        if other.drive is drive and other.url == url:
            raise Problem(409, "ObjectIdentifierInUse", f"A subscription exists: {other.id}")
    _validate(url)
    subscription = Subscription(str(uuid.uuid4()), drive, resource, url, state, expires, drive.sequence)
    world.subscriptions[subscription.id] = subscription
    return answer(request, 201, context(request, "subscriptions/$entity") | subscription.json())


def _expiry(world: World, value: object) -> datetime:
    expires = read_time(value)
    if expires is None or not world.clock.now() < expires <= world.clock.now() + LONGEST:
        raise bad_request("Subscription expiration can only be up to 42300 minutes in the future.")
    return expires


def _validate(url: str) -> None:
    """The address must repeat a token within ten seconds. Plain http is taken from loopback, for tests."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise bad_request("The notificationUrl must be https")
    token = secrets.token_urlsafe(24) + " +"
    join = "&" if parts.query else "?"
    try:
        status, content = _post(f"{url}{join}validationToken={quote(token)}", b"", "text/plain")
    except OSError:
        status, content = 0, b""
    if status != 200 or content.decode("utf-8", "replace") != token:
        raise bad_request("Subscription validation request failed.")


def _post(url: str, data: bytes, kind: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="POST")  # noqa: S310 - checked before
    with urllib.request.urlopen(request, timeout=_PATIENCE) as reply:  # noqa: S310 - as above
        return reply.status, reply.read(4096)


def notify(world: World) -> None:
    """Tell of changes since the last time; without details, as Graph does. Nobody waits for it."""
    for subscription in list(world.subscriptions.values()):
        if subscription.drive.sequence == subscription.seen or subscription.expires < world.clock.now():
            continue
        subscription.seen = subscription.drive.sequence
        note = {
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": text(subscription.expires),
            "clientState": subscription.state,
            "resource": subscription.resource,
            "tenantId": TENANT_ID,
            "changeType": "updated",
            "resourceData": None,
        }
        body = json.dumps({"value": [note]}).encode()
        threading.Thread(target=_send, args=(subscription.url, body), daemon=True).start()


def _send(url: str, body: bytes) -> None:
    try:
        _post(url, body, "application/json")
    except (OSError, urllib.error.URLError):
        return  # Graph tries again for hours; a test that wants that has to say so
