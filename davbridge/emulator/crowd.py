"""A crowd: any number of folders and files that nobody has stored. Each is made from its number when it is asked for.

Folders have the numbers from 0 on; the files follow, those of one folder side by side. Everything about an item comes
from its number by arithmetic, and its number from its id or its name the same way, so a drive of a million items costs
no more than one of ten. A number that has been *taken* is out of the crowd: its item has been changed or deleted, and
lives or died as an ordinary one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import random
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import BinaryIO

from davbridge.emulator.blobs import Blob

BASE = -1
"""The number of the folder below which the crowd stands; that one is an ordinary folder."""
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_FIRST_PERSONAL = 10**9
_PERIOD = 4096
_ENDINGS = (".txt", ".jpg", ".docx", ".pdf", ".bin")
_NAME = re.compile(r"(folder|file) (\d{7,})(\.[a-z]+)?")


class NumberedBlob(Blob):
    """A content made from its seed when it is read."""

    def __init__(self, seed: bytes, size: int) -> None:
        super().__init__(None, None, size)
        self._seed = seed

    def open(self, start: int = 0) -> BinaryIO:
        pattern = hashlib.sha256(self._seed).digest()
        reader = io.BytesIO((pattern * (self.size // len(pattern) + 1))[: self.size])
        reader.seek(start)
        return reader

    def discard(self) -> None:
        """There is nothing to free."""


class Crowd:
    """`folders` folders with `files` files each below `base_id`; `fanout` folders in a folder, 0: all in one.

    `start` is the drive's sequence before the crowd came: the item of number n changed at `start + n + 1`.
    """

    def __init__(
        self, profile: str, drive_id: str, base_id: str, start: int, folders: int, files: int, fanout: int, largest: int
    ) -> None:
        if folders < 0 or files < 0 or fanout < 0 or fanout == 1 or not 0 < folders + folders * files < 10**7:
            raise ValueError("a crowd has 1 to 9,999,999 items, and no fanout of 1")
        self.base_id = base_id
        self.start = start
        self.folders = folders
        self.total = folders + folders * files
        self.taken: set[int] = set()
        self._missing: Counter[int] = Counter()
        self._files = files
        self._fanout = fanout or max(folders, 1)
        self._profile = profile
        self._drive_id = drive_id
        self._mark = hashlib.sha256(b"davbridge crowd").digest()[:12]
        self._blobs: dict[int, Blob] = {}
        sizes = random.Random(largest)
        self._sizes = [sizes.randint(0, largest) for _ in range(_PERIOD)]
        self._sums = [0, *accumulate(self._sizes)]

    # -- from a number ------------------------------------------------------------------------------------------

    def is_folder(self, number: int) -> bool:
        return number < self.folders

    def parent(self, number: int) -> int:
        """The number of the folder that an item was made in."""
        return number // self._fanout - 1 if self.is_folder(number) else (number - self.folders) // self._files

    def name(self, number: int) -> str:
        if self.is_folder(number):
            return f"folder {number:07}"
        return f"file {number:07}{_ENDINGS[number % len(_ENDINGS)]}"

    def id(self, number: int) -> str:
        """In the form of the drive's kind (§2.4)."""
        if self._profile == "personal":
            return f"{self._drive_id}!{_FIRST_PERSONAL + number}"
        if self._profile == "personal-migrated":
            return f"{self._drive_id}!s{(self._mark[:8] + number.to_bytes(8, 'big')).hex()}"
        return "01" + base64.b32encode(self._mark + number.to_bytes(8, "big")).decode()

    def guid(self, number: int) -> str:
        return f"{self._mark[:4].hex()}-{self._mark[4:6].hex()}-4000-8000-{number:012x}".upper()

    def size(self, number: int) -> int:
        return 0 if self.is_folder(number) else self._sizes[number % _PERIOD]

    def blob(self, number: int) -> Blob | None:
        """Contents repeat after some thousand files, so that their hashes are computed once."""
        if self.is_folder(number):
            return None
        kind = number % _PERIOD
        if kind not in self._blobs:
            self._blobs[kind] = NumberedBlob(kind.to_bytes(8, "big"), self.size(number))
        return self._blobs[kind]

    def created(self, number: int) -> datetime:
        return _EPOCH + timedelta(seconds=number * 37 % 150_000_000)

    def modified(self, number: int) -> datetime:
        return self.created(number) + timedelta(seconds=number * 97 % 86_400)

    def subtree_size(self, number: int) -> int:
        """The bytes below a folder, as it was made."""
        if number == BASE:
            return self._span(self.folders, self.total)
        size, level = 0, range(number, number + 1)
        while level:
            first = self.folders + level.start * self._files
            size += self._span(first, first + len(level) * self._files)
            level = range(min((level.start + 1) * self._fanout, self.folders), self._end(level.stop))
        return size

    def _end(self, stop: int) -> int:
        return min((stop + 1) * self._fanout, self.folders)

    def _span(self, start: int, stop: int) -> int:
        """The sizes of the numbers from `start` to before `stop`."""

        def upto(number: int) -> int:
            rounds, rest = divmod(number, _PERIOD)
            return rounds * self._sums[-1] + self._sums[rest]

        return upto(stop) - upto(start)

    # -- to a number --------------------------------------------------------------------------------------------

    def number(self, item_id: str) -> int | None:
        """The number of an id; None for an id of somebody else's."""
        try:
            if self._profile == "personal":
                number = int(item_id.rpartition("!")[2]) - _FIRST_PERSONAL
            elif self._profile == "personal-migrated":
                number = int(item_id[-16:], 16)
            else:
                raw = base64.b32decode(item_id[2:])
                number = int.from_bytes(raw[12:], "big")
                return number if raw[:12] == self._mark and item_id[:2] == "01" and number < self.total else None
        except ValueError:
            return None
        return number if 0 <= number < self.total and self.id(number) == item_id else None

    def named(self, folder: int, folded: str) -> int | None:
        """The number of the item with a (folded) name that was made in a folder."""
        found = _NAME.fullmatch(folded)
        if not found:
            return None
        number = int(found[2])
        known = number < self.total and self.name(number) == folded and self.parent(number) == folder
        return number if known and number not in self.taken else None

    # -- children -----------------------------------------------------------------------------------------------

    def _ranges(self, folder: int) -> tuple[range, range]:
        """Files and folders made in a folder; by name all files come before all folders."""
        first = (folder + 1) * self._fanout
        folders = range(min(first, self.folders), min(first + self._fanout, self.folders))
        files = self.folders + folder * self._files
        return (range(0) if folder == BASE else range(files, files + self._files)), folders

    def children(self, folder: int, after: str = "") -> Iterator[int]:
        """Numbers of the children that are left, by name, those whose folded name comes after `after`."""
        for numbers in self._ranges(folder):
            for number in numbers[bisect_right(numbers, after, key=self.name) :]:
                if number not in self.taken:
                    yield number

    def count(self, folder: int) -> int:
        return sum(len(numbers) for numbers in self._ranges(folder)) - self._missing[folder]

    def take(self, number: int) -> None:
        """Put a number out of the crowd."""
        self.taken.add(number)
        self._missing[self.parent(number)] += 1
