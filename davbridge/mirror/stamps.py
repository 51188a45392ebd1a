"""Stamps of folders: what changes whenever anything in the tree below does (docs/decisions/014).

A shortcut leads to a drive of which nobody tells us changes. So a shortcut has no stamp, nor has anything below it; and
the stamps of the folders above one also change with every change that we learn of elsewhere, and with time: a listing
is good for its time to live, and so is such a stamp, for one at the most.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

from davbridge.graph.model import DriveItem
from davbridge.mirror.file import MirrorFile

_ABOVE = """
    WITH RECURSIVE above (id) AS (
        SELECT parent FROM items INDEXED BY items_shortcuts WHERE drive = ? AND remote_id <> ''
        UNION
        SELECT i.parent FROM above AS a CROSS JOIN items AS i ON i.drive = ? AND i.id = a.id WHERE i.parent <> '')
    SELECT id FROM above"""
_SHORTEST = 1.0


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps of one drive's folders at one moment; `until`: POSIX seconds, when those of `open` folders change.

    `open`: ids of the folders above shortcuts.
    """

    epoch: int
    open: frozenset[str] = field(default_factory=frozenset)
    tail: str = ""
    until: float = inf

    @classmethod
    def at(cls, file: MirrorFile, number: int, now: float, ttl: float) -> Stamps:
        """Those of the drive with that number."""
        above, elsewhere = file.remember(("stamps", number), lambda: _read(file, number))
        if not above:
            return cls(file.epoch)
        length = max(ttl, _SHORTEST)
        window = int(now // length)
        return cls(file.epoch, above, f"-{elsewhere:x}-{window:x}", (window + 1) * length)

    def on(self, item: DriveItem, below: int) -> DriveItem:
        """The item with its stamp, by the row's `below`; only folders have one, and shortcuts have none."""
        if item.kind == "file" or item.remote:
            return item
        tail = self.tail if item.id in self.open else ""
        return replace(item, stamp=f"{self.epoch:x}-{below:x}{tail}")


def _read(file: MirrorFile, number: int) -> tuple[frozenset[str], int]:
    above = frozenset(row[0] for row in file.read(_ABOVE, (number, number)))
    rows = file.read("SELECT value FROM counters WHERE name = 'elsewhere'") if above else []
    return above, int(rows[0][0]) if rows else 0
