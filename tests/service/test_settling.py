"""The work that comes with time goes on whatever happens to one round of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from davbridge import service
from davbridge.claim import Claim


def test_settling_survives_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unexpected error in one round does not end the thread: reserved names would never become files."""
    monkeypatch.setattr(service, "_SETTLE_SECONDS", 0.01)
    stop = threading.Event()
    rounds: list[int] = []

    class Failing:
        """Fails in the first round."""

        def settle(self) -> None:
            rounds.append(1)
            if len(rounds) == 1:
                raise RuntimeError("on purpose")
            stop.set()

    claim = Claim(tmp_path / "lock")
    service._settle(Failing(), stop, claim)  # type: ignore[arg-type] # only `settle` is asked for
    claim.release()
    assert len(rounds) == 2
