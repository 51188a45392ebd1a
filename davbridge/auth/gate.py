"""The gate: nobody without a password, except for OPTIONS (facts: clients §2 rule 1, §4.8).

A hash takes some 50 ms on purpose, and mounts send a password with every request; so what was right stays known for
some minutes, as a keyed digest that is worth nothing outside this process. Wrong passwords slow the same client down:
a delay and no ban, since clients try a stored wrong password many times while mounting. When many sit such a delay out,
the next are sent away at once: somebody who guesses must not hold all threads.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from cachetools import TTLCache

from davbridge.auth.passwords import verify
from davbridge.clock import Clock
from davbridge.waiting import about_to_wait

_REALM = 'Basic realm="davbridge", charset="UTF-8"'
_REMEMBERED_SECONDS, _MOST_REMEMBERED = 300, 1024
_FREE_FAILURES = 5
_LONGEST_DELAY = 3.0
AT_ONCE = 4
"""Hashes at a time, in all processes together: each takes 64 MiB."""
_MOST_WAITING = 8
"""Requests that may sit a delay out: each holds one of the server's threads."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class TooManyGuesses(Exception):
    """So many wrong passwords have come that their delays would take the threads away from everybody else."""


class Passwords:
    """Compares passwords, at the price of a hash each, and slows down whoever guesses: for all ways in together."""

    def __init__(self, users: Mapping[str, str], clock: Clock, processes: int = 1) -> None:
        self._users = dict(users)
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(1, AT_ONCE // processes))
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._failures: TTLCache[str, int] = TTLCache(4096, 600, clock.monotonic)

    def renewed(self, users: Mapping[str, str]) -> Passwords:
        """For `users`, with the memory for hashes, the failures and the delays of this one: no second door opens."""
        passwords = Passwords(users, self._clock)
        passwords._slots, passwords._waiting = self._slots, self._waiting
        passwords._lock, passwords._failures = self._lock, self._failures
        return passwords

    def slows(self, address: str) -> bool:
        """Whether `address` has been wrong so often that it has to wait."""
        with self._lock:
            return self._failures.get(address, 0) >= _FREE_FAILURES

    def unchanged(self, users: Mapping[str, str]) -> set[str]:
        """Whose hash is the same in `users`."""
        return {name for name, hashed in users.items() if self._users.get(name) == hashed}

    def is_right(self, name: str, password: str, address: str) -> bool:
        """Compare, after a pause when `address` has been wrong too often.

        Raises:
            TooManyGuesses: as many requests as may are waiting already.
        """
        about_to_wait()
        with self._lock:
            failures = self._failures.get(address, 0)
        if failures >= _FREE_FAILURES:
            if not self._waiting.acquire(blocking=False):
                raise TooManyGuesses
            try:
                self._clock.sleep(min(0.25 * (failures - _FREE_FAILURES + 1), _LONGEST_DELAY))
            finally:
                self._waiting.release()
        with self._slots:
            right = verify(self._users.get(name), password)
        with self._lock:
            if right:
                self._failures.pop(address, None)
            else:
                self._failures[address] = self._failures.get(address, 0) + 1
        return right


class Gate:
    """Middleware: puts the user's name into `davbridge.user`, or answers 401. `users` maps names to argon2id hashes.

    `processes` that serve beside each other share the memory for hashes evenly. `passwords` is for other ways in.
    """

    def __init__(self, application: Application, users: Mapping[str, str], clock: Clock, processes: int = 1) -> None:
        self._application = application
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[str, float]] = {}
        self._asked: dict[bytes, Future[str | None]] = {}
        self.passwords = Passwords(users, clock, processes)

    def renewed(self, application: Application, users: Mapping[str, str]) -> Gate:
        """A gate to `application` for `users` in the place of this one: whose hash is the same stays known."""
        gate = Gate(application, users, self._clock)
        gate._key, gate._lock, gate.passwords = self._key, self._lock, self.passwords.renewed(users)
        same = self.passwords.unchanged(users)
        with self._lock:
            gate._known = {digest: known for digest, known in self._known.items() if known[0] in same}
        return gate

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("davbridge.user", None)
        try:
            user = self._user(environ)
        except TooManyGuesses:
            return _later(start_response)
        if user is None and environ["REQUEST_METHOD"] != "OPTIONS":
            return _challenge(start_response)
        environ["davbridge.user"] = user or ""
        return self._application(environ, start_response)

    def _user(self, environ: dict[str, Any]) -> str | None:
        header = str(environ.get("HTTP_AUTHORIZATION", ""))
        if not header:
            return None
        digest = hashlib.blake2b(header.encode("latin-1", "replace"), key=self._key).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > self._clock.monotonic():
            return known[0]
        address = environ.get("REMOTE_ADDR", "")
        if self.passwords.slows(address):
            return self._checked(digest, header, address)
        # a mount opens many connections at once, all with one password: it is hashed once for them
        with self._lock:
            other = self._asked.get(digest)
            if other is None:
                own = self._asked[digest] = Future()
        if other is not None:
            about_to_wait()
            return other.result()
        try:
            user = self._checked(digest, header, address)
            own.set_result(user)
        except BaseException as error:
            own.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._asked[digest]
        return user

    def _checked(self, digest: bytes, header: str, address: str) -> str | None:
        for name, password in _credentials(header):
            if self.passwords.is_right(name, password, address):
                self._remember(digest, name)
                return name
        return None

    def _remember(self, digest: bytes, name: str) -> None:
        now = self._clock.monotonic()
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known = {}
            self._known[digest] = name, now + _REMEMBERED_SECONDS


def _credentials(header: str) -> Iterable[tuple[str, str]]:
    """Name and password of a Basic header: as UTF-8, which we ask for, and as Latin-1, which Joplin sends anyway.

    Windows puts its domain before the name. Anything malformed, and Office's empty Bearer, is nobody.
    """
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return
    tried = set()
    for encoding in ("utf-8", "latin-1"):
        try:
            name, colon, password = raw.decode(encoding).partition(":")
        except UnicodeDecodeError:
            continue
        name = name.rpartition("\\")[2]
        if colon and (name, password) not in tried:
            tried.add((name, password))
            yield name, password


def _challenge(start_response: Any) -> Iterable[bytes]:
    body = b"a user name and a password of the bridge are needed\n"
    start_response(
        "401 Unauthorized",
        [
            ("WWW-Authenticate", _REALM),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )
    return [body]


def _later(start_response: Any) -> Iterable[bytes]:
    body = b"too many wrong passwords come from this address\n"
    start_response(
        "503 Service Unavailable",
        [
            ("Retry-After", "5"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )
    return [body]
