"""An item of the in-memory driver, and a download of its bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from davbridge.drivers.protocol import Item, Kind


@dataclass(eq=False)
class Node:
    """An item, and for a folder what is in it by folded name. `changed`: number of the last change of the tree.

    After a change of anything in it, `touch` it and the folders above.
    """

    id: str
    name: str
    kind: Kind
    created: datetime
    modified: datetime
    content: bytes = b""
    version: int = 1
    children: dict[str, Node] = field(default_factory=dict)
    uploaded_at: float | None = None
    changed: int = 0
    _shown: Item | None = None

    def touch(self, number: int) -> None:
        """Remember that change `number` was here."""
        self.changed = number
        self._shown = None

    def item(self) -> Item:
        """As the protocol shows it."""
        if self._shown is None:
            self._shown = self._made()
        return self._shown

    def _made(self) -> Item:
        is_file = self.kind is Kind.FILE
        guessed = mimetypes.guess_type(self.name, strict=False)[0] or "application/octet-stream"
        return Item(
            id=self.id,
            name=self.name,
            kind=self.kind,
            size=len(self.content),
            etag=f"{self.id}-{self.version}" if is_file else "",
            created=self.created,
            modified=self.modified,
            content_type=guessed if is_file else "",
            stamp="" if is_file else f"{self.id}-{self.changed}",
        )

    def walk(self) -> Iterator[Node]:
        """Itself and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()


class MemoryDownload:
    """A download of one version; it cannot break."""

    def __init__(self, item: Item, content: bytes, start: int, end: int) -> None:
        self.item = item
        self.start = start
        self.length = end - start
        self.total = len(content)
        self._rest = memoryview(content)[start:end]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        block, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return block

    def close(self) -> None:
        self._rest = memoryview(b"")

    def __enter__(self) -> MemoryDownload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
