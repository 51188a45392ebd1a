"""A gate in the place of another one: who has to show the password again, and what cannot be escaped."""

from __future__ import annotations

from davbridge.auth import Gate, hash_password
from davbridge.auth import gate as module
from davbridge.clock import ManualClock
from tests.unit.auth.test_gate import Inside, ask, basic

USERS = {"alice": hash_password("secret"), "bob": hash_password("hidden")}


def test_who_is_known_stays_known_with_the_same_hash() -> None:
    """Nobody who is gone, or whose password has changed, gets in by memory."""
    gate = Gate(Inside(), USERS, ManualClock())
    headers = {name: basic(f"{name}:{password}") for name, password in (("alice", "secret"), ("bob", "hidden"))}
    for header in headers.values():
        assert ask(gate, header)[0].startswith("200")
    inside = Inside()
    renewed = gate.renewed(inside, {"alice": USERS["alice"], "bob": hash_password("other")})
    assert {name for name, _ in renewed._known.values()} == {"alice"}
    assert ask(renewed, headers["alice"])[0].startswith("200")
    assert ask(renewed, headers["bob"])[0].startswith("401")
    assert inside.users == ["alice"]


def test_guesses_are_still_counted() -> None:
    """A reload is no fresh start for somebody who guesses."""
    clock = ManualClock()
    gate = Gate(Inside(), USERS, clock)
    for _ in range(module._FREE_FAILURES):
        ask(gate, basic("alice:wrong"))
    before = clock.monotonic()
    ask(gate.renewed(Inside(), USERS), basic("alice:wrong"))
    assert clock.monotonic() > before
