"""Clock, deadline, secrets, atomic files and the state database."""

from __future__ import annotations

import logging
import multiprocessing
import stat
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from davbridge import deadline
from davbridge.clock import ManualClock
from davbridge.durable import write_atomically
from davbridge.errors import Busy, ConfigError, QuotaExceeded
from davbridge.redact import RedactingFilter, Secret, redact
from davbridge.store.database import Database
from davbridge.waiting import when_waiting


def test_a_deadline_runs_out_and_can_be_extended() -> None:
    """Progress starts the full time again."""
    clock = ManualClock()
    with deadline.within(clock, 60) as limit:
        clock.advance(50)
        assert deadline.current(clock).remaining() == pytest.approx(10)
        limit.extend()
        assert limit.remaining() == pytest.approx(60)


def test_outside_a_request_the_background_deadline_holds() -> None:
    """Start-up work is bounded too."""
    assert deadline.current(ManualClock()).remaining() == deadline.BACKGROUND_SECONDS


def test_a_secret_does_not_print() -> None:
    """Neither str, repr nor format give it away (T17)."""
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer eyJhbGciOi.abc.def",
        "GET https://contoso.sharepoint.com/download.aspx?tempauth=SECRETVALUE&x=1",
        'https://contoso.sharepoint.com:443 "GET /download.aspx?x=1&tempauth=SECRETVALUE HTTP/1.1" 200 5',
        "Max retries exceeded with url: /download.aspx?tempauth=SECRETVALUE (Caused by x)",
        '{"refresh_token": "SECRETVALUE"}',
        "client_secret=SECRETVALUE&grant_type=x",
        "cannot open wss://notify.svc.ms/socket.io/?EIO=4&token=SECRETVALUE",
    ],
)
def test_redact_removes_tokens_and_queries(text: str) -> None:
    """What libraries log must not hold a secret."""
    assert "SECRETVALUE" not in redact(text)
    assert "eyJhbGciOi" not in redact(text)


def test_the_log_filter_redacts_and_escapes() -> None:
    """One record stays one line (T44)."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "name %s\n{}", ("https://h/?sig=abc",), None)
    RedactingFilter().filter(record)
    assert record.getMessage() == "name https://h/?***\\x0a{}"


def test_atomic_write_replaces_and_is_private(tmp_path: Path) -> None:
    """The file is the new one, readable by its owner only, and nothing is left beside it."""
    target = tmp_path / "token"
    target.write_bytes(b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """An error in the middle changes nothing."""
    target = tmp_path / "token"
    target.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


SCHEMA = ["CREATE TABLE IF NOT EXISTS counter (n INTEGER NOT NULL)"]


def _count(path: Path, times: int) -> None:
    database = Database.open(path, SCHEMA)
    for _ in range(times):
        with database.transaction() as transaction:
            (n,) = transaction.execute("SELECT n FROM counter").fetchone()
            transaction.execute("UPDATE counter SET n = ?", (n + 1,))


def test_check_and_change_is_one_step_between_processes(tmp_path: Path) -> None:
    """Two processes that read and then write lose no update (BEGIN IMMEDIATE)."""
    path = tmp_path / "state.sqlite"
    database = Database.open(path, SCHEMA)
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO counter VALUES (0)")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(path, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert database.read("SELECT n FROM counter")[0]["n"] == 100
    database.close()


def test_threads_of_a_process_write_in_turn(tmp_path: Path) -> None:
    """A second writer does not ask SQLite, which would have it sleep, until the first one has ended."""
    database = Database.open(tmp_path / "state.sqlite", SCHEMA)
    entered, steps = threading.Event(), []

    def write() -> None:
        when_waiting(entered.set)
        with database.transaction():
            steps.append("second")

    other = threading.Thread(target=write)
    with database.transaction() as transaction:
        other.start()
        assert entered.wait(20), "who has to wait says so"
        transaction.execute("INSERT INTO counter VALUES (7)")
        steps.append("first")
    other.join(20)
    assert steps == ["first", "second"]
    database.close()


def test_who_waits_too_long_for_a_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that keeps the write lock costs the others their patience, and not for ever."""
    database = Database.open(tmp_path / "state.sqlite", SCHEMA)
    told: list[BaseException] = []

    def write() -> None:
        try:
            with database.transaction():
                pass
        except Busy as error:
            told.append(error)

    monkeypatch.setattr("davbridge.store.database.BUSY_SECONDS", 0.0)
    with database.transaction():
        other = threading.Thread(target=write)
        other.start()
        other.join(20)
    assert len(told) == 1
    with database.transaction():
        """It is free again."""
    database.close()


def _open(path: Path, together: Barrier) -> None:
    together.wait()
    Database.open(path, SCHEMA).close()


def test_several_processes_may_create_the_file_at_once(tmp_path: Path) -> None:
    """None of them is told that the file is busy; several rounds, since it is a matter of luck."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(4)
    for number in range(4):
        path = tmp_path / f"{number}.sqlite"
        processes = [context.Process(target=_open, args=(path, together)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 4


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    """An exception rolls back."""
    database = Database.open(tmp_path / "s.sqlite", SCHEMA)

    def insert_and_fail() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO counter VALUES (1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        insert_and_fail()
    assert database.read("SELECT * FROM counter") == []
    database.close()


def test_a_full_disk_is_told_as_full(tmp_path: Path) -> None:
    """SQLite rolls back by itself then: the error is that of the disk, and the next transaction works."""
    database = Database.open(tmp_path / "s.sqlite", [*SCHEMA, "CREATE TABLE blobs (data BLOB)"])
    database.read("PRAGMA max_page_count = 10")

    def insert(size: int) -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO blobs VALUES (?)", (bytes(size),))

    with pytest.raises(QuotaExceeded):
        insert(1_000_000)
    insert(10)
    assert len(database.read("SELECT * FROM blobs")) == 1
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message says which file."""
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"this is not sqlite" * 100)
    with pytest.raises(ConfigError, match=r"state\.sqlite"):
        Database.open(path, SCHEMA)
