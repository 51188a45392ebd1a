"""A request to Microsoft and its answer, as the layers above see them: no `requests` type leaves this package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from davbridge.errors import BadUpstream
from davbridge.redact import Secret
from davbridge.tokens import TokenSource


class Parts(Protocol):
    """A body in parts, which can be iterated for each try; its length in bytes is known."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Outgoing:
    """One request. `url` is absolute; a `Secret` when it is pre-authenticated.

    `safe` says that repeating it after a lost answer does no harm (GET, or a write that names its outcome). `auth` may
    only be given for the Graph host. `stream` leaves the answer's body to be read by the caller. `once`: no second try
    and no log line, since the caller has a rhythm of its own. `commits`: it stores a content, and a gateway's 503 may
    hide a success as its 502 does: that goes to the caller, who looks before it is sent again.
    """

    method: str
    url: str | Secret
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | Parts | None = None
    auth: TokenSource | None = None
    stream: bool = False
    safe: bool = False
    once: bool = False
    commits: bool = False

    @property
    def address(self) -> str:
        """The URL itself: for the one place that sends it."""
        return self.url.reveal() if isinstance(self.url, Secret) else self.url


class Stream(Protocol):
    """An answer's body that is still on the wire."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end. Raises BadUpstream when the connection breaks."""

    def close(self) -> None: ...

    def abort(self) -> None:
        """Let a `read` that another thread waits in end at once, as at the end or with BadUpstream."""


@dataclass(frozen=True)
class Reply:
    """An answer. Header names are lower case. `content` is empty for a streamed one, whose bytes come from `stream`."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    stream: Stream | None = None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            BadUpstream: it is none (gateways answer HTML, facts: Graph §12.8).
        """
        try:
            value = json.loads(self.content)
        except ValueError:
            raise BadUpstream(f"Microsoft answered {self.status} with something that is not JSON") from None
        if not isinstance(value, dict):
            raise BadUpstream(f"Microsoft answered {self.status} with JSON of an unknown form")
        return value

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
