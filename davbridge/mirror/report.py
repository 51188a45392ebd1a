"""What the mirror knows of itself, in numbers and words: for `status`, the log and the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from davbridge.mirror.finding import DEEPEST
from davbridge.mirror.mirror import TTL_SECONDS, Mirror

_WORDS = {
    "new": "not enumerated yet",
    "first": "being enumerated",
    "live": "live",
    "resync": "live, and being enumerated anew",
    "merge": "live, and enumerated anew",
    "merging": "enumerated anew, and taking it in",
    "none": "no delta: folders are read again when they are asked for, {ttl:.0f} seconds after the last time",
}
_SHORTCUTS = f"""
    WITH RECURSIVE up (at, path, depth) AS (
        SELECT parent, '/' || name, 1 FROM items INDEXED BY items_shortcuts WHERE drive = ? AND remote_id <> ''
        UNION ALL
        SELECT i.parent, '/' || i.name || u.path, u.depth + 1
        FROM up AS u CROSS JOIN items AS i ON i.drive = ? AND i.id = u.at
        WHERE u.at <> ? AND i.parent <> '' AND u.depth < {DEEPEST})
    SELECT path FROM up WHERE at = ? ORDER BY path"""  # noqa: S608 - ours
_NAMED = 5
"""Shortcuts that are named; of the others there is a count."""


@dataclass(frozen=True)
class MirrorReport:
    """`items` rows; `seen` items of the enumeration under way; `age` seconds since the last finished round began.

    `shortcuts`: how many lie below the policy's root, and the paths of the first of them; `ttl`: the seconds for which
    a listing is good where delta does not tell of changes, as behind these.
    """

    state: str
    live: bool
    items: int
    seen: int
    age: float | None
    bytes: int
    message: str
    shortcuts: int = 0
    shortcut_paths: Sequence[str] = ()
    ttl: float = TTL_SECONDS

    @property
    def sentence(self) -> str:
        """For people."""
        words = _WORDS.get(self.state, self.state).format(ttl=self.ttl)
        if self.state == "live" and not self.live and self.age is not None:
            words = f"asleep: last looked {self.age:.0f} s ago, and will when somebody asks"
        if self.state in ("first", "resync"):
            words += f", {self.seen} items so far"
        return f"{words}; {self.items} items, {self.bytes / 2**20:.1f} MiB"

    @property
    def exceptions(self) -> str:
        """For people: the folders that are listed again and again though the drive is watched; empty when none is."""
        if not self.shortcuts or self.state == "none":
            return ""
        others = self.shortcuts - len(self.shortcut_paths)
        named = ", ".join(self.shortcut_paths) + (f" and {others} more" if others else "")
        return (
            f"{named}: Microsoft does not tell what changes behind shortcuts, so it is read again when it is asked "
            f"for, {self.ttl:.0f} seconds after the last time"
        )


def report_of(mirror: Mirror) -> MirrorReport:
    """The state of a policy's mirror."""
    file, (drive_id, root) = mirror.file, mirror.root
    number = file.number(drive_id)
    standing = mirror.standing
    now = file.now()
    rows = file.read("SELECT count(*) FROM items WHERE drive = ?", (number,))
    size = sum(path.stat().st_size for path in (file.path, file.path.with_suffix(".sqlite-wal")) if path.exists())
    shortcuts = [row[0] for row in file.read(_SHORTCUTS, (number, number, root, root))]
    followed = mirror.is_followed(drive_id)
    return MirrorReport(
        standing.phase if followed else "none",
        mirror.is_live(),
        rows[0][0] if rows else 0,
        standing.seen if followed and standing.next else 0,
        now - standing.synced if followed and standing.synced else None,
        size,
        standing.message
        if mirror.is_at_home
        else "the root is behind a shortcut, on a drive whose changes are not told",
        len(shortcuts),
        tuple(shortcuts[:_NAMED]),
        mirror.ttl,
    )
