"""`$batch` (§6): at most 20 requests; each answered, throttled and counted on its own."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from davbridge.emulator.answers import answer, read_json, refuse
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request

LARGEST = 20
LARGEST_BODY = 4 << 20


def batch(request: Request, handle: Callable[[Request], Response]) -> Response:
    if request.length > LARGEST_BODY:
        raise Problem(413, "invalidRequest", "The request message is too big")
    entries = read_json(request).get("requests")
    if not isinstance(entries, list) or not 0 < len(entries) <= LARGEST:
        raise bad_request(f"A batch holds 1 to {LARGEST} requests")
    ids = [str(entry.get("id", "")).lower() for entry in entries]
    if "" in ids or len(set(ids)) != len(ids):
        raise bad_request("Each request of a batch needs an id of its own")
    for position, entry in enumerate(entries):
        if not isinstance(entry.get("method"), str) or not isinstance(entry.get("url"), str):
            raise bad_request("Each request of a batch needs a method and a url")
        if any(str(one).lower() not in ids[:position] for one in entry.get("dependsOn", [])):
            raise bad_request("dependsOn names no earlier request")
    done: dict[str, int] = {}
    out = []
    for entry in entries:
        wanted = [str(one).lower() for one in entry.get("dependsOn", [])]
        if any(not 200 <= done.get(one, 424) < 400 for one in wanted):
            response = Response(424, {}, b'{"error":{"code":"failedDependency","message":"failed dependency"}}')
        else:
            response = _one(request, entry, handle)
        done[str(entry["id"]).lower()] = response.status
        made: dict[str, Any] = {"id": entry["id"], "status": response.status, "headers": dict(response.headers)}
        if response.body:
            made["body"] = _told(response.body)
        out.append(made)
    # in any order: not in that of the requests, then
    return answer(request, 200, {"responses": out[::-1]})


def _told(body: bytes) -> Any:
    """JSON as it is, anything else as a base64url string."""
    try:
        return json.loads(body)
    except ValueError:
        return base64.urlsafe_b64encode(body).decode()


def _one(outer: Request, entry: dict[str, Any], handle: Callable[[Request], Response]) -> Response:
    headers = {name.lower(): str(value) for name, value in (entry.get("headers") or {}).items()}
    body = b""
    if (given := entry.get("body")) is not None:
        if "content-type" not in headers:
            return refuse(outer, bad_request("A body needs a Content-Type"))
        # a string is base64 for all types but JSON, where it is a JSON string
        as_json = isinstance(given, dict) or "json" in headers["content-type"]
        body = json.dumps(given).encode() if as_json else base64.urlsafe_b64decode(given)
    path, _, query = str(entry.get("url", "")).partition("?")
    inner = Request(
        method=str(entry.get("method", "")).upper(),
        path="/v1.0/" + path.lstrip("/"),
        query_string=query,
        headers={
            **headers,
            "authorization": outer.headers.get("authorization", ""),
            "host": outer.headers.get("host", ""),
        },
        reader=io.BytesIO(body),
        length=len(body),
        remaining=len(body),
        query=dict(parse_qsl(query, keep_blank_values=True)),
    )
    try:
        return handle(inner)
    except Problem as problem:
        return refuse(inner, problem)
