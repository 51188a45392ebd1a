"""Where delta stands with a drive: whether its rows may be believed without asking."""

from __future__ import annotations

from dataclasses import dataclass

from davbridge.mirror.file import MirrorFile

TRUST_SECONDS = 90.0
"""How long after the start of the last finished round a drive is live: longer than the longest pause between polls."""


@dataclass(frozen=True)
class Standing:
    """`phase`: `new` (never enumerated), `first` (being enumerated), `live`, `resync` (after 410), `none` (no delta).

    `seen`: items of the round under way; `pages` likewise; `synced`: start of the last finished round, POSIX seconds.
    """

    phase: str = "new"
    link: str = ""
    next: str = ""
    began: float = 0.0
    synced: float = 0.0
    seen: int = 0
    pages: int = 0
    message: str = ""

    def is_live(self, now: float) -> bool:
        """Whether "not in the mirror" means "not there": no round is half applied, and the last is not old."""
        applied = not self.next or self.phase == "resync"
        return bool(self.link or self.phase == "resync") and applied and now - self.synced <= TRUST_SECONDS


def standing_of(file: MirrorFile, number: int) -> Standing:
    """The standing of a drive."""
    sql = "SELECT phase, link, next, began, synced, seen, pages, message FROM sync WHERE drive = ?"
    rows = file.read(sql, (number,))
    return Standing(*rows[0]) if rows else Standing()
