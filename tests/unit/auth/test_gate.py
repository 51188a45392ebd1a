"""The gate: who comes in, who does not, and what that costs."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest

from davbridge.auth import Gate, hash_password
from davbridge.auth import gate as module
from davbridge.clock import ManualClock

USERS = {"alice": hash_password("secret"), "jörg": hash_password("pässword")}


def basic(text: str, encoding: str = "utf-8") -> str:
    """A Basic header."""
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


class Inside:
    """The application behind the gate; remembers who came in."""

    def __init__(self) -> None:
        self.users: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.users.append(environ["davbridge.user"])
        start_response("200 OK", [])
        return [b""]


def ask(gate: Gate, header: str = "", method: str = "GET", address: str = "1.2.3.4") -> tuple[str, dict[str, str]]:
    """Status and headers for one request."""
    seen: list[tuple[str, dict[str, str]]] = []
    environ = {"REQUEST_METHOD": method, "REMOTE_ADDR": address, "davbridge.user": "forged"}
    if header:
        environ["HTTP_AUTHORIZATION"] = header
    gate(environ, lambda status, headers: seen.append((status, dict(headers))))
    return seen[0]


@pytest.fixture
def inside() -> Inside:
    """What is behind it."""
    return Inside()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def gate(inside: Inside, clock: ManualClock) -> Gate:
    """A gate for two users."""
    return Gate(inside, USERS, clock)


@pytest.mark.parametrize(
    ("header", "user"),
    [
        (basic("alice:secret"), "alice"),
        (basic("CORP\\alice:secret"), "alice"),
        (basic("jörg:pässword"), "jörg"),
        (basic("jörg:pässword", "latin-1"), "jörg"),
        ("bAsIc " + basic("alice:secret")[6:], "alice"),
    ],
)
def test_who_comes_in(gate: Gate, inside: Inside, header: str, user: str) -> None:
    """UTF-8 and Latin-1, with or without Windows' domain."""
    assert ask(gate, header)[0] == "200 OK"
    assert inside.users == [user]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"alice").decode(),
        basic("alice:wrong"),
        basic("nobody:secret"),
        basic("alice:"),
        "Digest username=alice",
    ],
)
def test_who_does_not(gate: Gate, inside: Inside, header: str) -> None:
    """Anything else is 401 with one Basic challenge, never a 400 or 500."""
    status, headers = ask(gate, header)
    assert status.startswith("401")
    assert headers["WWW-Authenticate"] == 'Basic realm="davbridge", charset="UTF-8"'
    assert inside.users == []


def test_options_needs_nobody(gate: Gate, inside: Inside) -> None:
    """Windows and Office ask before they sign in; a forged user does not get through."""
    assert ask(gate, method="OPTIONS")[0] == "200 OK"
    assert ask(gate, basic("alice:wrong"), method="OPTIONS")[0] == "200 OK"
    assert inside.users == ["", ""]


def test_no_users(inside: Inside, clock: ManualClock) -> None:
    """Without users nobody gets in."""
    assert ask(Gate(inside, {}, clock), basic("alice:secret"))[0].startswith("401")


def test_a_right_password_is_hashed_once(gate: Gate, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounts send it with every request; after five minutes it is looked at again."""
    hashed: list[str] = []

    def counting(known: str | None, password: str) -> bool:
        hashed.append(password)
        return known is not None and password == "secret"

    monkeypatch.setattr(module, "verify", counting)
    for _ in range(5):
        ask(gate, basic("alice:secret"))
    assert len(hashed) == 1
    clock.advance(301)
    ask(gate, basic("alice:secret"))
    assert len(hashed) == 2


def test_guessing_is_slowed_down(gate: Gate, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five failures each further one costs more time; others are not held up, and nobody is locked out."""
    monkeypatch.setattr(module, "verify", lambda known, password: known is not None and password == "secret")
    for _ in range(8):
        ask(gate, basic("alice:wrong"))
    assert clock.pauses == [0.25, 0.5, 0.75]
    assert ask(gate, basic("alice:secret"), address="5.6.7.8")[0] == "200 OK"
    assert len(clock.pauses) == 3
    assert ask(gate, basic("alice:secret"))[0] == "200 OK"
    ask(gate, basic("alice:wrong"))
    assert len(clock.pauses) == 4


def test_guessing_does_not_hold_all_threads(inside: Inside) -> None:
    """Of many who guess at once some wait and others are sent away; who is known or comes from elsewhere gets in."""

    class Sleeping(ManualClock):
        """Sleeps until it is told to go on."""

        go_on = threading.Event()

        def sleep(self, seconds: float) -> None:
            self.go_on.wait(20)

    clock = Sleeping()
    gate = Gate(inside, USERS, clock)
    right, wrong = basic("alice:secret"), basic("alice:wrong")
    assert ask(gate, right)[0] == "200 OK"
    for _ in range(5):
        ask(gate, wrong)
    with ThreadPoolExecutor(20) as pool:
        guesses = [pool.submit(ask, gate, wrong) for _ in range(20)]
        done = list(islice(as_completed(guesses, 20), 12))
        assert {guess.result()[0] for guess in done} == {"503 Service Unavailable"}
        assert ask(gate, right)[0] == "200 OK"
        assert ask(gate, basic("j\xf6rg:p\xe4ssword"), address="5.6.7.8")[0] == "200 OK"
        clock.go_on.set()
        assert {guess.result()[0] for guess in set(guesses) - set(done)} == {"401 Unauthorized"}


@pytest.mark.parametrize(("processes", "most"), [(1, 4), (2, 2), (4, 1), (32, 1)])
def test_memory_for_hashes_is_shared_by_processes(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, processes: int, most: int
) -> None:
    """Each verifies its share of the four passwords at a time, and one at least."""
    lock, now, highest = threading.Lock(), 0, 0

    def slow(*_: object) -> bool:
        nonlocal now, highest
        with lock:
            now += 1
            highest = max(highest, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return False

    monkeypatch.setattr("davbridge.auth.gate.verify", slow)
    gate = Gate(Inside(), USERS, clock, processes)
    threads = [threading.Thread(target=ask, args=(gate, basic(f"alice:{number}"))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert highest == most


@pytest.mark.parametrize(("password", "status"), [("secret", "200 OK"), ("wrong", "401 Unauthorized")])
def test_one_hash_for_many_at_once(gate: Gate, monkeypatch: pytest.MonkeyPatch, password: str, status: str) -> None:
    """A mount's connections all come with one password at the same time: one hash answers them all, right or wrong."""
    hashes = []
    held = threading.Event()

    def slow(hashed: str | None, given: str) -> bool:
        hashes.append(given)
        held.wait(5)
        return given == "secret"

    monkeypatch.setattr(module, "verify", slow)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(ask, gate, basic(f"alice:{password}")) for _ in range(16)]
        time.sleep(0.2)
        held.set()
        assert {answer.result(5)[0] for answer in answers} == {status}
    assert hashes == [password]
