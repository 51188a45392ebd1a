"""`kill -9` at every named point of a write: nothing acknowledged is lost, nothing is torn, nothing is left open."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from davbridge import killpoint
from davbridge.emulator import Emulator
from tests.faults.killing import Killing, jobs

KILLS = int(os.environ.get("DAVBRIDGE_KILLS", "0"))


@pytest.mark.timeout(600 + 10 * KILLS)
def test_kills_at_every_point(tmp_path: Path) -> None:
    """Each point once on each kind of drive, and as many drawn ones as DAVBRIDGE_KILLS says."""
    seed = int(os.environ.get("DAVBRIDGE_SEED", "0")) or random.randrange(1, 10**6)
    planned = jobs(seed, KILLS)
    with Emulator.start() as emulator:
        emulator.quirks.session_placeholder = True
        killing = Killing(emulator, tmp_path)
        killing.prepare(planned)
        last = None
        for job in planned:
            with killing.server(job) as server:
                if last is not None:
                    killing.check(server, last)
                killing.strike(server, job)
            last = job
        with killing.server(None) as server:
            assert last is not None
            killing.check(server, last)
        for job in killing.acknowledged:
            assert killing.state(job) == job.after, f"acknowledged, and lost: {job.folder}"
    print(f"seed {seed}: {killing.killed} kills, {killing.survived} not reached, {killing.slowest:.1f} s to mend")
    assert killing.survived == 0


def test_every_point_is_in_the_code() -> None:
    """A point that the code does not pass is never tested."""
    folder = Path(killpoint.__file__).parent
    passed = {name for path in folder.rglob("*.py") for name in re.findall(r'killpoint\("(.+?)"\)', path.read_text())}
    assert passed - {"…"} == {
        *killpoint.UPLOAD,
        *killpoint.CONTENT,
        *killpoint.REPLACING,
        *killpoint.SAVING,
        *killpoint.UPLOAD_IN_CHUNKS,
    }
