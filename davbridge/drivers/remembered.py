"""Where a policy's address led: kept, so that a start asks for the drive itself, and a renamed site stays mounted.

The files lie beside the mirrors, and may be lost as they may. What an address means is asked again when the drive that
is remembered, or the root in it, is not there any more. An address itself is not kept: a sharing link is a secret.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from davbridge.durable import write_atomically
from davbridge.graph.model import ItemRef
from davbridge.paths import DavPath


@dataclass(frozen=True)
class Known:
    """A drive, and what the address named in it: `path` below `base`, or below the root."""

    drive_id: str
    path: DavPath
    base: ItemRef | None


class Remembered:
    """What one address led to, for one account. `folder`: the mirrors'."""

    def __init__(self, folder: Path, account: str, *address: str) -> None:
        digest = hashlib.blake2b("\n".join((account, *address)).encode(), digest_size=10).hexdigest()
        self._path = folder / f"{digest}.address"

    def read(self) -> Known | None:
        """None when nothing is known, or what is known cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            told = json.loads(self._path.read_text("utf-8"))
            base = ItemRef(str(told["base"][0]), str(told["base"][1])) if told["base"] else None
            return Known(str(told["drive"]), DavPath(tuple(map(str, told["path"]))), base)
        return None

    def write(self, known: Known) -> None:
        """A disk that is full is no reason to stop: the next start asks again."""
        base = [known.base.drive_id, known.base.item_id] if known.base else None
        data = json.dumps({"drive": known.drive_id, "path": known.path.names, "base": base})
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path, data.encode())

    def forget(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
