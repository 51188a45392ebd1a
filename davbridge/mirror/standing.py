"""Where delta stands with a drive: whether its rows may be believed without asking."""

from __future__ import annotations

from dataclasses import dataclass

from davbridge.mirror.file import MirrorFile

TRUST_SECONDS = 90.0
"""How long after the start of the last finished round a drive is live: longer than the longest pause between polls."""
_BESIDE = ("resync", "merge")
"""Phases in which news is put beside what stands."""


@dataclass(frozen=True)
class Standing:
    """`phase`: `new` (never enumerated), `first` (being enumerated), `live`, `none` (no delta).

    After 410: `resync` (being enumerated anew), `merge` (gathered, nothing applied yet), `merging` (being applied in
    parts, since it is much); in the last two `next` is the link for the rounds to come.

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
        whole = self.phase in _BESIDE or bool(self.phase == "live" and self.link and not self.next)
        return whole and now - self.synced <= TRUST_SECONDS


def standing_of(file: MirrorFile, number: int) -> Standing:
    """The standing of a drive."""
    sql = "SELECT phase, link, next, began, synced, seen, pages, message FROM sync WHERE drive = ?"
    rows = file.read(sql, (number,))
    return Standing(*rows[0]) if rows else Standing()
