"""A folder with 100,000 files behind the bridge's DAV layer and edge, in a process of its own.

Run as `python -m bench.large PORT`. The drive is in memory: filling one behind the emulator takes an hour, and what is
measured is what listing it costs above the mirror. Its stamp is empty, so that no listing is kept.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from davbridge.app import open_database
from davbridge.clock import SystemClock
from davbridge.dav.application import make_application
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.locks import LockTable
from davbridge.dav.message import Mount, Shared
from davbridge.drivers.memory import MemoryDriver
from davbridge.drivers.overlay import Overlay
from davbridge.drivers.protocol import Item, Kind
from davbridge.edge import make_server
from davbridge.paths import DavPath
from davbridge.service import limit_arenas

FILES = 100_000
_MOMENT = datetime(2026, 3, 3, 9, 10, 11, tzinfo=UTC)


class Large(MemoryDriver):
    """Makes its children while they are asked for, as the mirror does."""

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        return replace(self.stat(path), stamp=""), _files()


def _files() -> Iterator[Item]:
    for number in range(FILES):
        name = f"document {number:06}.txt"
        yield Item(f"I{number}", name, Kind.FILE, 1000 + number, f"I{number}-1", _MOMENT, _MOMENT, "text/plain")


def main(port: int) -> None:
    """Serve until somebody ends the process."""
    limit_arenas()
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder))
        overlay = Overlay(Large(clock), database, "large", clock, lambda path: False)
        mount = Mount("large", "/large", overlay, {"bench": "write"})
        application = make_application([mount], Shared(LockTable(database, clock), DeadProperties(database), clock))

        def signed_in(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ["davbridge.user"] = "bench"
            return application(environ, start_response)

        make_server(signed_in, [f"127.0.0.1:{port}"]).start()
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
