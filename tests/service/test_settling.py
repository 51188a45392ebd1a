"""The work that comes with time goes on whatever happens to one round of it."""

from __future__ import annotations

import threading

import pytest

from davbridge import service


def test_settling_survives_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
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

    service._settle(Failing(), stop)  # type: ignore[arg-type] # only `settle` is asked for
    assert len(rounds) == 2
