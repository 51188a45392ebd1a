"""The harness itself: it can fail, it skips what depends on a failure, and it runs alone."""

from __future__ import annotations

import subprocess
import sys

from tests.litmus.harness import Fail, Session, run_suite, whole
from tests.support.world import World


def test_it_fails_and_skips(running: World) -> None:
    """A failure is one, an exception too; a broken beginning skips the rest."""

    def fails(session: Session) -> None:
        raise Fail("no")

    def breaks(session: Session) -> None:
        raise KeyError("x")

    results = list(run_suite("x", whole([("a", fails), ("b", breaks)]), running.http + "/me/", "alice", "secret"))
    assert [one.verdict for one in results] == ["pass", "pass", "FAIL", "FAIL", "pass"]
    refused = list(run_suite("x", whole([("a", fails)]), running.http + "/me/", "alice", "wrong"))
    assert [one.verdict for one in refused] == ["pass", "FAIL", "SKIPPED", "SKIPPED"]


def test_alone(running: World) -> None:
    """`python -m tests.litmus URL USER PASSWORD` prints what litmus prints."""
    command = [sys.executable, "-m", "tests.litmus", running.http + "/me/", "alice", "secret", "basic"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<- summary for `basic': of 16 tests run: 16 passed, 0 failed. 100.0%" in done.stdout
