"""One of several processes that share an account: `python -m tests.signin.soaking CONFIG SECONDS THREADS`.

Each thread asks Graph again and again, as requests of clients do, and counts what fails. It asks `LEAST` times at the
least, also on a machine that is busy with something else.
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

LEAST = 10


def main(file: Path, seconds: float, threads: int) -> None:
    """Print calls and failures."""
    clock = SystemClock()
    bridge = build(load(file), clock)
    graph = bridge.drivers["me"]._graph
    end = time.monotonic() + seconds
    done: list[str] = []

    def ask() -> None:
        asked = 0
        while time.monotonic() < end or asked < LEAST:
            asked += 1
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
