"""What the mirror knows of itself, in numbers and words: for `status`, the log and the metrics."""

from __future__ import annotations

from dataclasses import dataclass

from davbridge.mirror.file import MirrorFile
from davbridge.mirror.standing import standing_of

_WORDS = {
    "new": "not enumerated yet",
    "first": "being enumerated",
    "live": "live",
    "resync": "live, and being enumerated anew",
    "merge": "live, and enumerated anew",
    "merging": "enumerated anew, and taking it in",
    "none": "no delta: folders are read again when they are asked for",
}


@dataclass(frozen=True)
class MirrorReport:
    """`items` rows; `seen` items of the enumeration under way; `age` seconds since the last finished round began."""

    state: str
    live: bool
    items: int
    seen: int
    age: float | None
    bytes: int
    message: str

    @property
    def sentence(self) -> str:
        """For people."""
        words = _WORDS.get(self.state, self.state)
        if self.state == "live" and not self.live and self.age is not None:
            words = f"asleep: last looked {self.age:.0f} s ago, and will when somebody asks"
        if self.state in ("first", "resync"):
            words += f", {self.seen} items so far"
        return f"{words}; {self.items} items, {self.bytes / 2**20:.1f} MiB"


def report_of(file: MirrorFile, drive_id: str) -> MirrorReport:
    """The state of a drive's mirror."""
    number = file.number(drive_id)
    standing = standing_of(file, number)
    now = file.now()
    rows = file.read("SELECT count(*) FROM items WHERE drive = ?", (number,))
    size = sum(path.stat().st_size for path in (file.path, file.path.with_suffix(".sqlite-wal")) if path.exists())
    return MirrorReport(
        standing.phase if file.is_polled else "none",
        standing.is_live(now),
        rows[0][0] if rows else 0,
        standing.seen if standing.next else 0,
        now - standing.synced if standing.synced else None,
        size,
        standing.message,
    )
