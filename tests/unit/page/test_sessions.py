"""Sessions: when they begin to be no longer good."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.clock import ManualClock
from davbridge.page.file import open_file
from davbridge.page.sessions import IDLE_SECONDS, LONGEST_SECONDS, PageUser, Sessions
from davbridge.store.database import Database

ALICE = PageUser("$argon2id$one", admin=True)


@pytest.fixture
def users() -> dict[str, PageUser]:
    """As the configuration has them now."""
    return {"alice": ALICE, "bob": PageUser("$argon2id$two", admin=False)}


@pytest.fixture
def sessions(database: Database, users: dict[str, PageUser], clock: ManualClock) -> Sessions:
    """Of one worker."""
    return Sessions(database, users, clock)


def test_a_session_is_found_by_its_secret_alone(sessions: Sessions) -> None:
    """Another value, an empty one, and a part of it are nobody's."""
    secret = sessions.begin("alice").secret
    found = sessions.find(secret)
    assert found is not None
    assert found.user == "alice"
    for other in ("", secret[:-1], secret + "A", "x" * 43):
        assert sessions.find(other) is None


def test_a_session_is_good_at_every_worker(
    sessions: Sessions, users: dict[str, PageUser], clock: ManualClock, tmp_path: Path
) -> None:
    """Another process finds it in the file, and what one ends is ended for all."""
    secret = sessions.begin("alice").secret
    database = open_file(tmp_path)
    other = Sessions(database, users, clock)
    assert other.find(secret) is not None
    other.end(secret)
    assert sessions.find(secret) is None
    database.close()


def test_the_secret_is_not_in_the_file(sessions: Sessions, database: Database) -> None:
    """Who reads the file cannot go in with what stands there."""
    secret = sessions.begin("alice").secret
    rows = [tuple(row) for row in database.read("SELECT * FROM sessions")]
    assert secret not in repr(rows)
    assert secret.encode() not in rows[0][0]


def test_a_session_ends_unused(sessions: Sessions, clock: ManualClock) -> None:
    """Each use gives it its time again; silence ends it for good."""
    secret = sessions.begin("alice").secret
    for _ in range(5):
        clock.advance(IDLE_SECONDS - 1)
        assert sessions.find(secret) is not None
    clock.advance(IDLE_SECONDS + 1)
    assert sessions.find(secret) is None
    clock.advance(-IDLE_SECONDS)
    assert sessions.find(secret) is None


def test_what_a_page_asks_for_by_itself_is_no_use(sessions: Sessions, clock: ManualClock) -> None:
    """A page that refreshes itself on an empty desk does not keep the session."""
    secret = sessions.begin("alice").secret
    clock.advance(IDLE_SECONDS - 60)
    assert sessions.find(secret, by_person=False) is not None
    clock.advance(61)
    assert sessions.find(secret, by_person=False) is None


def test_a_session_ends_after_a_day_of_work(sessions: Sessions, clock: ManualClock) -> None:
    """However much it is used."""
    secret = sessions.begin("alice").secret
    for _ in range(int(LONGEST_SECONDS / 900)):
        clock.advance(900)
        found = sessions.find(secret)
    assert found is not None
    clock.advance(900)
    assert sessions.find(secret) is None


@pytest.mark.parametrize(
    "change", [PageUser("$argon2id$one", admin=False), PageUser("$argon2id$other", admin=True), None]
)
def test_a_session_ends_with_what_it_rests_on(
    sessions: Sessions, users: dict[str, PageUser], change: PageUser | None
) -> None:
    """No admin any more, another password, gone: at the next request, and for good."""
    secret = sessions.begin("alice").secret
    if change is None:
        del users["alice"]
    else:
        users["alice"] = change
    assert sessions.find(secret) is None
    users["alice"] = ALICE
    assert sessions.find(secret) is None


def test_sessions_do_not_pile_up(sessions: Sessions, database: Database, clock: ManualClock) -> None:
    """The oldest of a user go, and those that are over."""
    first = sessions.begin("alice").secret
    for _ in range(40):
        clock.advance(1)
        last = sessions.begin("alice").secret
    assert sessions.find(first) is None
    assert sessions.find(last) is not None
    assert database.read("SELECT count(*) FROM sessions")[0][0] == 32
    clock.advance(LONGEST_SECONDS + 1)
    sessions.begin("alice")
    assert database.read("SELECT count(*) FROM sessions")[0][0] == 1
