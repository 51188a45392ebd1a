"""Turns: one writer of a path at a time, in threads and in processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from davbridge import deadline
from davbridge.clock import ManualClock
from davbridge.errors import Locked
from davbridge.store.turns import FileTurns


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second writer of the path waits as long as its request can, and is told; other paths are free."""
    clock = ManualClock()
    turns, others = FileTurns(tmp_path / "turns", clock), FileTurns(tmp_path / "turns", clock)
    with turns.turn("/a"):
        with others.turn("/b"), deadline.within(clock, 25), pytest.raises(Locked), turns.turn("/a"):
            pytest.fail("two have the turn")
        assert 22 <= sum(clock.pauses) <= 25
    with others.turn("/a"):
        assert sum(clock.pauses) <= 25, "a turn that is free is had at once"


def test_between_processes(tmp_path: Path) -> None:
    """Another process has the turn until it dies."""
    path = tmp_path / "turns"
    code = (
        "import sys; from pathlib import Path; from davbridge.clock import SystemClock;"
        "from davbridge.store.turns import FileTurns\n"
        "with FileTurns(Path(sys.argv[1]), SystemClock()).turn('/a'):\n  print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    clock = ManualClock()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with deadline.within(clock, 5), pytest.raises(Locked), FileTurns(path, clock).turn("/a"):
            pytest.fail("two have the turn")
        other.kill()
        other.wait()
        with FileTurns(path, clock).turn("/a"):
            pass
