"""The mark of a running bridge: found while it lives, never believed afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.presence import Outcome, Presence, reload


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set by SIGHUP."""
    event = threading.Event()
    before = signal.signal(signal.SIGHUP, lambda *args: event.set())
    yield event
    signal.signal(signal.SIGHUP, before)


def test_nobody(tmp_path: Path, heard: threading.Event) -> None:
    """Without a mark, with one of a process that is gone, and with one that names somebody else."""
    assert reload(tmp_path, 1) is None
    Presence.announce(tmp_path).close()
    assert (tmp_path / "serving.lock").read_text() == str(os.getpid())
    assert reload(tmp_path, 1) is None
    assert not heard.is_set()


def answers(presence: Presence, heard: threading.Event, *outcomes: Outcome) -> threading.Thread:
    """A bridge that is told to reload: the last outcome is of that, those before of what was under way."""

    def act() -> None:
        heard.wait(10)
        for outcome in outcomes[:-1]:
            presence.ended(outcome)
        presence.began()
        presence.ended(outcomes[-1])

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_the_outcome_is_of_a_reload_that_began_later(tmp_path: Path, heard: threading.Event) -> None:
    """One that was under way may have read the file as it was before."""
    presence = Presence.announce(tmp_path)
    presence.began()
    thread = answers(presence, heard, Outcome(0, "what was under way"), Outcome(78, "what was asked for"))
    assert reload(tmp_path, 10) == Outcome(78, "what was asked for")
    thread.join()
    presence.close()


def test_a_bridge_that_ends_or_is_silent(tmp_path: Path, heard: threading.Event) -> None:
    """Whoever waits is told so."""
    presence = Presence.announce(tmp_path)
    silent = reload(tmp_path, 0.2)
    assert silent is not None
    assert silent.status == 1
    assert "has not answered" in silent.message
    threading.Timer(0.2, presence.close).start()
    ended = reload(tmp_path, 10)
    assert ended is not None
    assert "has ended" in ended.message


def test_a_second_bridge_takes_the_place(tmp_path: Path, heard: threading.Event) -> None:
    """The last one that began is the one that is told; the end of the first changes nothing."""
    first, second = Presence.announce(tmp_path), Presence.announce(tmp_path)
    first.close()
    thread = answers(second, heard, Outcome(0, "done"))
    assert reload(tmp_path, 10) == Outcome(0, "done")
    thread.join()
    second.close()
