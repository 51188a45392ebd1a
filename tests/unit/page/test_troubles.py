"""Recent errors: bounded, once each, and without secrets."""

from __future__ import annotations

import gc
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davbridge.clock import ManualClock
from davbridge.page.troubles import MOST, Troubles
from davbridge.store.database import Database
from tests.unit.page.conftest import StillBeat


@pytest.fixture
def troubles(database: Database, clock: ManualClock, beat: StillBeat) -> Troubles:
    """Of one process."""
    return Troubles(database, clock, beat)


def test_the_same_trouble_stands_once(
    troubles: Troubles, database: Database, clock: ManualClock, beat: StillBeat
) -> None:
    """With how often, since when, and how bad it was at worst; also between workers."""
    other = Troubles(database, clock, StillBeat(lambda: None))
    troubles.note("the drive is full", serious=True)
    troubles.note("the drive is full", serious=False)
    beat.once()
    clock.advance(60)
    other.note("the drive is full", serious=False)
    other.note("another", serious=False)
    other.tick()
    full = next(one for one in troubles.list() if one.message == "the drive is full")
    assert (full.count, full.serious, full.last - full.first) == (3, True, 60)
    assert len(troubles.list()) == 2


def test_the_table_is_bounded(troubles: Troubles, database: Database, clock: ManualClock, beat: StillBeat) -> None:
    """The oldest go, and what is older than a week."""
    for number in range(3 * MOST):
        clock.advance(1)
        troubles.note(f"trouble {number}", serious=False)
        if number % 7 == 0:
            beat.once()
    beat.once()
    assert database.read("SELECT count(*) FROM troubles")[0][0] == MOST
    assert troubles.list(1)[0].message == f"trouble {3 * MOST - 1}"
    clock.advance(8 * 86400)
    assert troubles.list() == [], "also before anything new has come"
    troubles.note("news", serious=False)
    beat.once()
    assert [one.message for one in troubles.list()] == ["news"]
    assert database.read("SELECT count(*) FROM troubles")[0][0] == 1


def test_a_flood_is_bounded_in_memory(troubles: Troubles, beat: StillBeat) -> None:
    """Between two beats no more is kept than the table holds."""
    for number in range(10 * MOST):
        troubles.note(f"trouble {number}", serious=False)
    beat.once()
    assert len(troubles.list(10 * MOST)) == MOST


def test_what_is_logged_is_noted(troubles: Troubles, beat: StillBeat) -> None:
    """Warnings and errors, not what is merely told, and no longer than the page lives."""
    logger = logging.getLogger("davbridge.test")
    troubles.listen(logger)
    logger.info("nothing")
    logger.warning("%s is slow", "it")
    logger.error("it broke")
    beat.once()
    assert {(one.message, one.serious) for one in troubles.list()} == {("it is slow", False), ("it broke", True)}
    troubles.close()
    logger.error("later")
    beat.once()
    assert len(troubles.list()) == 2
    assert logger.handlers == []


def test_a_page_that_is_gone_listens_no_more(database: Database, clock: ManualClock) -> None:
    """Also when nobody has closed it, as after a reload."""
    logger = logging.getLogger("davbridge.test")
    Troubles(database, clock, StillBeat(lambda: None)).listen(logger)
    gc.collect()
    assert logger.handlers == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(), st.text())
def test_secrets_and_tricks_are_taken_out(troubles: Troubles, before: str, after: str) -> None:
    """A token, the query of an address, line ends and what turns writing round never reach the table."""
    secrets = ("eyJhbGciOiJub25lIn0.e30.c2ln", "Bearer 0123456789abcdef", "https://host/a?tempauth=S3CRET")
    for secret in secrets:
        troubles.note(f"{before} {secret} {after}", serious=False)
    troubles.tick()
    for one in troubles.list(1000):
        assert "eyJhbGci" not in one.message
        assert "0123456789abcdef" not in one.message
        assert "S3CRET" not in one.message
        assert len(one.message) <= 400
        assert not set(one.message) & set("\n\r\x00\x1b\u202e\u2066")
