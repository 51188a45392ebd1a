"""Graph's way to say no: a status and an error object (§7.1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime


class Problem(Exception):
    """An error answer. `code` is the top-level code, `inner` the more specific one."""

    def __init__(
        self, status: int, code: str, message: str = "", *, inner: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message or code
        self.inner = inner
        self.headers = headers or {}

    def body(self, request_id: str, client_request_id: str, inner_name: str) -> bytes:
        """The JSON of the answer."""
        inner: dict[str, str] = {"code": self.inner} if self.inner else {}
        inner["date"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        inner["request-id"] = request_id
        inner["client-request-id"] = client_request_id
        return json.dumps({"error": {"code": self.code, "message": self.message, inner_name: inner}}).encode()


def not_found(message: str = "The resource could not be found.") -> Problem:
    return Problem(404, "itemNotFound", message)


def name_taken() -> Problem:
    return Problem(409, "nameAlreadyExists", "An item with the same name already exists under the parent")


def bad_request(message: str, *, inner: str = "") -> Problem:
    return Problem(400, "invalidRequest", message, inner=inner)
