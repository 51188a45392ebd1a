"""Who came back without following: remembered for a day, by all who share the state file."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.dav.followers import PROXIED_SECONDS, SCHEMA, SOON_SECONDS, Followers
from davbridge.store.database import Database


@pytest.fixture
def clock() -> ManualClock:
    """Stands still."""
    return ManualClock()


@pytest.fixture
def followers(tmp_path: Path, clock: ManualClock) -> Followers:
    """Nobody has been anywhere yet."""
    return Followers(Database.open(tmp_path / "state.sqlite", SCHEMA), clock)


def test_coming_back_at_once(followers: Followers, clock: ManualClock) -> None:
    """It is proxied for a day, for whatever it asks; then it is tried again."""
    assert followers.may_send("alice", "program/1", "a.bin")
    assert not followers.may_send("alice", "program/1", "a.bin")
    assert not followers.may_send("alice", "program/1", "b.bin")
    clock.advance(PROXIED_SECONDS + 1)
    assert followers.may_send("alice", "program/1", "b.bin")


def test_coming_back_later(followers: Followers, clock: ManualClock) -> None:
    """Who wants a file once more is no suspect."""
    assert followers.may_send("alice", "program/1", "a.bin")
    clock.advance(SOON_SECONDS + 1)
    assert followers.may_send("alice", "program/1", "a.bin")


def test_others(followers: Followers) -> None:
    """Another program, another user, another file: each is looked at by itself."""
    assert followers.may_send("alice", "program/1", "a.bin")
    assert followers.may_send("alice", "program/2", "a.bin")
    assert followers.may_send("bob", "program/1", "a.bin")
    assert followers.may_send("alice", "program/1", "b.bin")


def test_another_worker(followers: Followers, tmp_path: Path, clock: ManualClock) -> None:
    """It comes back to whatever process takes the connection."""
    other = Followers(Database.open(tmp_path / "state.sqlite", SCHEMA), clock)
    assert followers.may_send("alice", "program/1", "a.bin")
    assert not other.may_send("alice", "program/1", "a.bin")
    assert not followers.may_send("alice", "program/1", "c.bin")
