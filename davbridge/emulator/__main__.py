"""`python -m davbridge.emulator [--json]`: serve until SIGTERM, Ctrl-C or the end of standard input."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from types import FrameType

from davbridge.emulator import Emulator


def main() -> int:
    """Print the addresses (with `--json` as one line) and wait."""
    parser = argparse.ArgumentParser(prog="python -m davbridge.emulator", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    as_json = parser.parse_args().json
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    with Emulator.start() as emulator:
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
