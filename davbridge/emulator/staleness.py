"""Views that lag behind (§12.2): for some seconds after a write, listings and paths show what was, ids what is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from davbridge.emulator.drives import Drive
from davbridge.emulator.problems import not_found
from davbridge.emulator.records import Item


class Stale:
    """A drive as it looked `seconds` ago, as far as names go; 0 for no lag."""

    def __init__(self, drive: Drive, seconds: float) -> None:
        self._drive = drive
        self._since = drive.monotonic() - seconds
        self._late = seconds > 0

    def descend(self, start: Item, names: list[str]) -> Item:
        """The item at a path.

        Raises:
            Problem: 404, for an item that has just come too.
        """
        if not names:
            return start
        *above, name = names
        parent = self._drive.descend(start, above)
        if (ghost := self._ghosts(parent).get(self._drive.fold(name))) is not None:
            return ghost
        item = self._drive.descend(parent, [name])
        if item.arrived > self._since:
            raise not_found()
        return item

    def children(self, found: list[Item]) -> list[Item]:
        """A page of a folder's children without those that have just come."""
        return [child for child in found if child.arrived <= self._since]

    def gone(self, folder: Item) -> Iterator[Item]:
        """Children that have left a folder, or their name, but are still shown."""
        return iter(self._ghosts(folder).values())

    def _ghosts(self, folder: Item) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for when, item in list(self._drive.ghosts) if self._late else ():
            if when > self._since and item.parent_id == folder.id and item.arrived <= self._since:
                found.setdefault(self._drive.fold(item.name), replace(item))
        return found
