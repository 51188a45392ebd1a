"""What the DAV layer itself refuses: a status, and for DAV clients the condition of RFC 4918 §16 that was not met.

Failures of the tree below are `davbridge.errors`; these here are about the request.
"""

from __future__ import annotations

from collections.abc import Sequence


class Refusal(Exception):
    """An answer of 4xx or 5xx. `condition` is the local name of a DAV: condition, `hrefs` what it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        condition: str = "",
        hrefs: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.condition = condition
        self.hrefs = tuple(hrefs)
        self.headers = tuple(headers)


def locked(hrefs: Sequence[str]) -> Refusal:
    """423: somebody's lock covers it, and its token was not submitted (RFC 4918 §16, lock-token-submitted)."""
    return Refusal(423, "the item is locked", condition="lock-token-submitted", hrefs=hrefs)
