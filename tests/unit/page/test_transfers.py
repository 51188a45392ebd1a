"""Transfers are counted as they pass, and told only when that is worth it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from davbridge.clock import ManualClock
from davbridge.page.beat import STALE_SECONDS
from davbridge.page.transfers import SMALLEST, Transfers
from davbridge.store.database import Database
from tests.unit.page.conftest import StillBeat


@pytest.fixture
def transfers(database: Database, clock: ManualClock, beat: StillBeat) -> Transfers:
    """Of one process."""
    return Transfers(database, clock, beat)


def put(length: int | None, data: bytes = b"", **more: Any) -> dict[str, Any]:
    """A PUT's environ, as the gate leaves it."""
    environ = {"REQUEST_URI": "/me/a%20b%3F.bin?x=1", "davbridge.user": "alice", "wsgi.input": io.BytesIO(data), **more}
    return environ if length is None else {**environ, "CONTENT_LENGTH": str(length)}


def test_an_upload_is_shown_while_it_lasts(transfers: Transfers, clock: ManualClock, beat: StillBeat) -> None:
    """Who, what, how much of how much, how fast, since when; and no longer than that."""
    environ = put(4 * SMALLEST, bytes(4 * SMALLEST))
    with transfers.upload(environ):
        environ["wsgi.input"].read(SMALLEST)
        clock.advance(2)
        assert beat.once()
        (one,) = transfers.list()
        assert (one.user, one.upload, one.path) == ("alice", True, "/me/a b?.bin")
        assert (one.done, one.total, one.rate) == (SMALLEST, 4 * SMALLEST, SMALLEST / 2)
        assert one.since == clock.now().timestamp() - 2
        environ["wsgi.input"].read(2 * SMALLEST)
        clock.advance(1)
        beat.once()
        (one,) = transfers.list()
        assert one.done == 3 * SMALLEST
        assert SMALLEST / 2 < one.rate < 2 * SMALLEST
    assert not beat.once()
    assert transfers.list() == []


def test_an_upload_of_unknown_length_is_followed(transfers: Transfers, clock: ManualClock, beat: StillBeat) -> None:
    """A chunked body has no end that could be told."""
    environ = put(None, b"some bytes", **{"wsgi.input_terminated": True})
    with transfers.upload(environ):
        assert environ["wsgi.input"].read(4) == b"some"
        clock.advance(1)
        beat.once()
        (one,) = transfers.list()
        assert (one.done, one.total) == (4, None)


def test_a_download_is_shown_while_it_lasts(transfers: Transfers, clock: ManualClock, beat: StillBeat) -> None:
    """The blocks that have gone out count, and closing ends it, also in the middle."""
    closed = []

    class Body:
        def __iter__(self) -> Any:
            return iter([bytes(1000), bytes(500)])

        def close(self) -> None:
            closed.append(True)

    body = transfers.download(put(None), [("Content-Length", str(SMALLEST))], Body())
    blocks = iter(body)
    next(blocks)
    next(blocks)
    clock.advance(1)
    beat.once()
    (one,) = transfers.list()
    assert (one.upload, one.done, one.total) == (False, 1000, SMALLEST)
    body.close()
    beat.once()
    assert closed == [True]
    assert transfers.list() == []


def test_small_transfers_cost_nothing(transfers: Transfers, beat: StillBeat) -> None:
    """Neither the request's body nor the answer's is touched, and nobody is waked."""
    environ = put(SMALLEST - 1)
    before = environ["wsgi.input"]
    with transfers.upload(environ):
        assert environ["wsgi.input"] is before
    for headers in ([("Content-Length", "1000")], [], [("content-length", "x")]):
        body = [b"x"]
        assert transfers.download(put(None), headers, body) is body
    assert beat.wakes == 0


def test_quick_transfers_are_not_written(
    transfers: Transfers, database: Database, clock: ManualClock, beat: StillBeat
) -> None:
    """What is over within a second never reaches the file."""
    version = database.version()
    with transfers.upload(put(SMALLEST)):
        clock.advance(0.5)
        beat.once()
    beat.once()
    assert database.version() == version


def test_rows_of_dead_processes_are_ignored_and_swept(
    transfers: Transfers, database: Database, clock: ManualClock, beat: StillBeat
) -> None:
    """A worker that was killed takes nothing back; its rows fade."""
    dead = Transfers(database, clock, StillBeat(lambda: None))
    with dead.upload(put(SMALLEST)):
        clock.advance(1)
        dead.tick()
    assert len(transfers.list()) == 1
    clock.advance(STALE_SECONDS + 1)
    assert transfers.list() == []
    with transfers.upload(put(SMALLEST)):
        clock.advance(1)
        beat.once()
    assert database.read("SELECT count(*) FROM transfers")[0][0] == 1


def test_a_broken_upload_is_taken_back(transfers: Transfers, clock: ManualClock, beat: StillBeat) -> None:
    """However the block ends."""

    def break_off() -> None:
        with transfers.upload(put(SMALLEST)):
            clock.advance(2)
            beat.once()
            raise ConnectionError

    with pytest.raises(ConnectionError):
        break_off()
    beat.once()
    assert transfers.list() == []
