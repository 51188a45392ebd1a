"""Webhooks: the handshake, lifetimes, notifications; and names that are not found at once."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api


class Hook:
    """A listener for notifications."""

    def __init__(self) -> None:
        self.notes: queue.Queue[dict] = queue.Queue()
        self.honest = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                token = parse_qs(urlsplit(self.path).query).get("validationToken", [""])[0]
                if not token:
                    outer.notes.put(json.loads(body))
                self.send_response(200)
                self.end_headers()
                self.wfile.write((token if outer.honest else "no").encode())

            def log_message(self, *words: object) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A listener."""
    listener = Hook()
    yield listener
    listener.server.shutdown()
    listener.thread.join()
    listener.server.server_close()


def body(drive: str, hook: Hook, *, minutes: float = 60, **more: object) -> dict:
    """A subscription."""
    expires = (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {"changeType": "updated", "notificationUrl": hook.url, "resource": f"{drive}/root", "clientState": "s"}
    return {**wanted, "expirationDateTime": expires, **more}


def test_a_change_is_told(api: Api, business: str, hook: Hook) -> None:
    """Without saying what has changed; not after the subscription has been deleted."""
    made = api("POST", "/subscriptions", 201, json=body(business, hook)).json()
    api("PUT", f"{business}/root:/a.txt:/content", 201, data=b"x")
    note = hook.notes.get(timeout=10)["value"][0]
    assert (note["subscriptionId"], note["clientState"], note["resourceData"]) == (made["id"], "s", None)
    assert note["tenantId"]
    api("DELETE", f"/subscriptions/{made['id']}", 204)
    api("PATCH", f"/subscriptions/{made['id']}", 404, json={})


def test_renewal_and_the_longest_lifetime(api: Api, business: str, hook: Hook) -> None:
    """42,300 minutes at most; a second one for the same is 409."""
    api("POST", "/subscriptions", 400, json=body(business, hook, minutes=42_400))
    made = api("POST", "/subscriptions", 201, json=body(business, hook)).json()
    api("POST", "/subscriptions", 409, json=body(business, hook))
    later = body(business, hook, minutes=42_000)["expirationDateTime"]
    renewed = api("PATCH", f"/subscriptions/{made['id']}", 200, json={"expirationDateTime": later}).json()
    assert renewed["expirationDateTime"] == later
    assert [one["id"] for one in api("GET", "/subscriptions", 200).json()["value"]] == [made["id"]]


def test_the_handshake(api: Api, business: str, hook: Hook) -> None:
    """An address that does not repeat the token, or is not https, is refused."""
    hook.honest = False
    api("POST", "/subscriptions", 400, json=body(business, hook))
    api("POST", "/subscriptions", 400, json=body(business, hook, notificationUrl="http://example.com/"))
    api("POST", "/subscriptions", 400, json=body(business, hook, changeType="created"))


def test_root_only_on_business(api: Api, business: str, personal: str, hook: Hook) -> None:
    """A folder can be subscribed to on personal drives only."""
    for drive, status in ((business, 400), (personal, 201)):
        api("PUT", f"{drive}/root:/d/a.txt:/content", 201, data=b"x")
        api("POST", "/subscriptions", status, json=body(drive, hook, resource=f"{drive}/root:/d"))


def test_a_new_item_is_not_found_at_once(api: Api, emulator: Emulator, business: str) -> None:
    """By path; by id it is."""
    emulator.quirks.lookup_lag = 2
    item = api("PUT", f"{business}/root:/a.txt:/content", 201, data=b"x").json()
    api("GET", f"{business}/items/{item['id']}", 200)
    for status in (404, 404, 200):
        api("GET", f"{business}/root:/a.txt", status)
