"""For whom a thread works."""

from __future__ import annotations

import threading

import pytest

from davbridge import caller
from davbridge.caller import BACKGROUND, Caller, Purpose


def in_a_thread(work: object) -> list[Caller]:
    """What `work` returns in a thread that nobody has told anything."""
    seen: list[Caller] = []
    thread = threading.Thread(target=lambda: seen.append(work()))  # type: ignore[operator]
    thread.start()
    thread.join(10)
    return seen


@pytest.mark.parametrize(
    ("method", "purpose"),
    [("GET", Purpose.DOWNLOAD), ("PUT", Purpose.UPLOAD), ("PROPFIND", Purpose.METADATA), ("COPY", Purpose.METADATA)],
)
def test_a_request(method: str, purpose: Purpose) -> None:
    """It says whom its thread works for, and for what."""

    def work() -> Caller:
        caller.serve("alice", method)
        return caller.current()

    assert in_a_thread(work) == [Caller("alice", purpose)]


def test_nobody_told() -> None:
    """A thread of the bridge's own, however busy others are with requests."""
    with caller.acting_for(Caller("alice", Purpose.UPLOAD)):
        assert in_a_thread(caller.current) == [BACKGROUND]
        assert caller.current().user == "alice"
