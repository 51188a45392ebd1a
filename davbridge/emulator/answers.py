"""Ways to answer: JSON with Graph's headers, and readers for the parts of a request that several handlers need."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.problems import Problem, bad_request

_DIAGNOSTIC = '{"ServerInfo":{"DataCenter":"Emulated","Slice":"E","Ring":"5","ScaleUnit":"000","RoleInstance":"E0"}}'
_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"


def answer(request: Request, status: int, body: object = None, **headers: str) -> Response:
    """A Graph answer; the headers of §13.2 are on everything."""
    own = str(uuid.uuid4())
    fields = {
        "request-id": own,
        "client-request-id": request.headers.get("client-request-id") or own,
        "x-ms-ags-diagnostic": _DIAGNOSTIC,
        "Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "OData-Version": "4.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if body is None:
        return Response(status, fields)
    return Response(status, {**fields, "Content-Type": _JSON}, json.dumps(body).encode())


def refuse(request: Request, problem: Problem, *, small: bool = False) -> Response:
    """The error's answer; `small` spells `innererror`, as SharePoint's own hosts do (§7.1)."""
    response = answer(request, problem.status, **{})
    headers = {**response.headers, **problem.headers, "Content-Type": _JSON}
    body = problem.body(headers["request-id"], headers["client-request-id"], "innererror" if small else "innerError")
    return Response(problem.status, headers, body)


def context(request: Request, tail: str) -> dict[str, str]:
    """The annotation that each answer with a body begins with (§2.3)."""
    return {"@odata.context": f"https://{request.headers.get('host', '')}/v1.0/$metadata#{tail}"}


def entity(request: Request, drive_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """An item as the whole of an answer."""
    return context(request, f"drives('{quote(drive_id, safe='')}')/items/$entity") | body


def read_json(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The JSON object of the body.

    Raises:
        Problem: 400 for anything else, 415 for another type.
    """
    raw = request.body()
    if not raw and optional:
        return {}
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/json"):
        raise Problem(415, "invalidRequest", "The content type must be application/json")
    try:
        value = json.loads(raw)
    except ValueError:
        raise bad_request("The body is not JSON") from None
    if not isinstance(value, dict):
        raise bad_request("The body is not a JSON object")
    return value


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time of a body; sub-seconds are kept, and cut by the drive."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.endswith("Z"):
        raise bad_request("A time must be ISO 8601 in UTC")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise bad_request("A time must be ISO 8601 in UTC") from None


def read_times(body: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Created and modified of a `fileSystemInfo`."""
    info = body.get("fileSystemInfo") or {}
    return read_time(info.get("createdDateTime")), read_time(info.get("lastModifiedDateTime"))


def check_match(request: Request, *tags: str) -> None:
    """If-Match and If-None-Match against eTag and cTag (§2.4).

    Raises:
        Problem: 412; 400 for a tag that is not a quoted string.
    """
    quoted = {tag if tag.startswith('"') else f'"{tag}"' for tag in tags if tag}
    if (wanted := request.headers.get("if-match")) is not None and wanted != "*":
        if not (wanted.startswith('"') and wanted.endswith('"')):
            raise Problem(400, "invalidRequest", "The entity tag is malformed", inner="malformedEntityTag")
        if wanted not in quoted:
            raise Problem(
                412, "resourceModified", "ETag does not match current item's value", inner="entityTagDoesNotMatch"
            )


def not_modified(request: Request, *tags: str) -> bool:
    """Whether If-None-Match names the current state."""
    quoted = {tag if tag.startswith('"') else f'"{tag}"' for tag in tags if tag}
    return request.headers.get("if-none-match", "") in quoted
