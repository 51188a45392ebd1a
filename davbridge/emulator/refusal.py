"""An OAuth error answer (§10.5)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from davbridge.emulator.httpd import Response, json_response


class Refused(Exception):
    """Entra says no. `claims`: what the next sign-in must ask for."""

    def __init__(self, error: str, code: int, text: str, status: int = 400, *, claims: str = "") -> None:
        super().__init__(text)
        self.error, self.code, self.text, self.status, self.claims = error, code, text, status, claims

    def response(self) -> Response:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        body = {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Timestamp: {now}",
            "error_codes": [self.code],
            "timestamp": now,
            "trace_id": secrets.token_hex(16),
            "correlation_id": secrets.token_hex(16),
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        if self.claims:
            body["claims"] = self.claims
        return json_response(body, self.status)
