"""One of several processes that share an account: `python -m tests.signin.soaking CONFIG SECONDS THREADS`.

Each thread asks Graph again and again, as requests of clients do, and counts what fails.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from davbridge import deadline
from davbridge.app import build
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.errors import BridgeError
from davbridge.graph.drives import get_my_drive


def main(file: Path, seconds: float, threads: int) -> None:
    """Print calls and failures."""
    clock = SystemClock()
    bridge = build(load(file), clock)
    graph = bridge.drivers["me"]._graph
    end = time.monotonic() + seconds
    done: list[str] = []

    def ask() -> None:
        while time.monotonic() < end:
            try:
                with deadline.within(clock, 25):
                    get_my_drive(graph)
                done.append("")
            except BridgeError as error:
                done.append(str(error))
            time.sleep(0.1)

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    bridge.close()
    print(len(done), *{text for text in done if text}, sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
