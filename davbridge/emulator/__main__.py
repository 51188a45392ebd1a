"""A Microsoft Graph and Entra to try the bridge on: prints its addresses, and serves until SIGTERM, SIGHUP, Ctrl-C or
end of standard input.

`--latency-ms 80 --rate-mb 20` puts it at the end of a line that is as long and as narrow as one to Microsoft.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from types import FrameType

from davbridge.emulator import Emulator
from davbridge.emulator.catalogue import catalogue


def main() -> int:
    """Print the addresses (with `--json` as one line) and wait."""
    parser = argparse.ArgumentParser(
        prog="python -m davbridge.emulator",
        description=__doc__,
        epilog=catalogue(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    parser.add_argument("--latency-ms", type=float, default=0, help="milliseconds that each request takes on its way")
    parser.add_argument("--rate-mb", type=float, default=0, help="MB/s of each connection, both ways; 0: not limited")
    given = parser.parse_args()
    as_json = given.json
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for one in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: its terminal was closed
        signal.signal(one, on_signal)
    with Emulator.start() as emulator:
        emulator.line.set(given.latency_ms / 1000, given.rate_mb * 1e6)
        facts = emulator.facts()
        print(
            json.dumps(facts) if as_json else "\n".join(f"{name}: {value}" for name, value in facts.items()), flush=True
        )
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            stop.wait()
    return 0


def _wait_for_end_of_input(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    raise SystemExit(main())
