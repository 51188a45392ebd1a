"""Many threads of several processes on one account, with short tokens and a token endpoint in trouble."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import yaml

from davbridge.emulator.faults import Status
from tests.signin.conftest import PERSON, Place

PROCESSES, THREADS, SECONDS = 8, 50, 8


def test_soak(place: Place) -> None:
    """Tokens live 5 s, refresh tokens are good once, one refresh in three fails: no request does, and none overlap."""
    config: dict[str, Any] = place.with_(**PERSON).model_dump(mode="json", exclude_defaults=True)
    del config["policies"]["me"]["user"]
    file = place.folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    entra = place.emulator.entra
    place = Place(place.emulator, place.folder / "state", place.config, place.clock, place.stack)
    entra.token_seconds, entra.rotates = 5, True
    place.sign_in()
    for number in range(1, 300, 3):
        place.emulator.faults.add("token", Status(503), nth=number)
    command = [sys.executable, "-m", "tests.signin.soaking", str(file), str(SECONDS), str(THREADS // PROCESSES + 1)]
    began = time.monotonic()
    with place.emulator.calls.counting() as calls:
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        told = [process.communicate(timeout=120)[0].split("\n") for process in running]
    failures = [line for lines in told for line in lines[1:] if line]
    asked = sum(call.operation == "token" and call.status == 200 for call in calls.calls)
    assert not failures
    assert sum(int(lines[0]) for lines in told) > 500
    assert entra.busiest == 1
    assert entra.reused == 0
    assert 2 <= asked <= 3 * max(SECONDS, time.monotonic() - began), "each token serves all processes"
