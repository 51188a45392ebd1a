"""Sync tokens of the mirror: an epoch and a place in the order of changes, as one word of letters, digits and `-`.

Changes are told in the order of their *effective* number (`changes.py`), so a place in that order says what has been
told: everything up to it. `epoch-seq` stands behind all changes up to `seq`. `epoch-removals-seq-rank-tie` stands amid:
`rank` and `tie` order what has the same number (removals first, by their own number; then items, by depth and id).
`removals` is the number from which on removals matter: a first enumeration walks through all numbers there are, but
what was removed before it began concerns nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from davbridge.errors import StaleToken

_FORM = re.compile(r"([0-9]{1,18})-([0-9]{1,18})(?:-([0-9]{1,18})-([0-9]{1,4})-((?:[0-9a-f]{2})*))?")
_LAST = 9999
"""A rank behind all others."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order of changes: behind the one with this key."""

    seq: int
    rank: int
    tie: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """Up to where changes have been told, and from where on removals matter."""

    removals: int
    place: Place

    @classmethod
    def at(cls, seq: int) -> Self:
        """Behind all changes up to `seq`."""
        return cls(seq, Place(seq, _LAST))

    @classmethod
    def start(cls, seq: int) -> Self:
        """Before all items, for a first enumeration that begins when `seq` is the last number given."""
        return cls(seq, Place(0, 0))

    @classmethod
    def parse(cls, text: str, epoch: int) -> Self:
        """Raises: StaleToken, also for what never was a token."""
        found = _FORM.fullmatch(text)
        if found is None or int(found[1]) != epoch:
            raise StaleToken("the sync token is not known here")
        if found[3] is None:
            return cls.at(int(found[2]))
        try:
            tie = bytes.fromhex(found[5]).decode()
        except ValueError:
            raise StaleToken("the sync token is not known here") from None
        return cls(int(found[2]), Place(int(found[3]), int(found[4]), tie))

    def text(self, epoch: int) -> str:
        """As `parse` reads it."""
        if self.place.rank == _LAST:
            return f"{epoch}-{self.place.seq}"
        place = self.place
        return f"{epoch}-{self.removals}-{place.seq}-{place.rank}-{place.tie.encode().hex()}"

    @property
    def enumerates(self) -> bool:
        """True until a first enumeration has passed all numbers that there were when it began."""
        return self.place.rank != _LAST and self.place.seq <= self.removals

    @property
    def floor(self) -> int:
        """The number up to which nothing of what was removed needs to be remembered any more."""
        return max(self.removals, self.place.seq - 1 if self.place.rank != _LAST else self.place.seq)
