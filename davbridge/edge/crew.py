"""The threads of a listener: one leads and answers what comes; when it is held up, the next one leads (decision 010).

It does what cheroot's manager of connections and its pool of threads do.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from davbridge.waiting import begin_moment, end_moment, when_waiting

log = logging.getLogger("davbridge.edge")
_TICK = 0.005
"""Seconds between two looks of the heir at a leader at work: how long others wait for one that says nothing."""
_DOZE_AFTER = 200
"""Looks at a leader without work, after which the heir sleeps until it is called."""
_SWEEP_SECONDS = 0.25


class Member(Protocol):
    """A connection, as the crew sees it."""

    def fileno(self) -> int: ...

    def advance(self) -> bool:
        """Answer what has come; whether the connection stays open."""

    def overdue(self, now: float) -> bool:
        """Whether it has said nothing for too long."""

    def close(self) -> None: ...


class Crew:
    """Up to `most` threads for the connections that `accept` makes of `listening`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._next = threading.Lock()
        """Held by the heir; the others queue for it."""
        self._queued = 0
        self._alarm = threading.Event()
        self._dozing = False
        self._leader: int | None = None
        self._work: Member | None = None
        self._turn = 0
        self._stopping = False
        self._resigned = threading.Condition(self._lock)

    def open(self, listening: socket.socket, accept: Callable[[], Member | None]) -> None:
        """Take connections of `listening` from now on; `accept` gives None when there was none after all."""
        self._listening = listening
        self._accept = accept
        self._waker, self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._selector.register(listening, selectors.EVENT_READ)
        self._swept = 0.0

    def run(self) -> None:
        """Serve in the calling thread, and in others, until `stop`."""
        with self._lock:
            self._queued += 1
            self._threads.add(threading.current_thread())
        self._serve()

    def stop(self) -> None:
        """Take no more requests, and close what has nothing to do. Requests under way go on."""
        with self._lock:
            self._stopping = True
            while self._leader is not None and self._work is None:
                self._alarm.set()
                self._wakes.send(b"!")
                self._resigned.wait(1)
            for key in list(self._selector.get_map().values()):
                if key.data is not None and key.data is not self._work:
                    self._selector.unregister(key.fd)
                    key.data.close()
        self._alarm.set()

    def join(self) -> None:
        """Wait until all requests are answered, and let everything go. After `stop`."""
        while True:
            with self._lock:
                others = self._threads - {threading.current_thread()}
            if not others:
                break
            others.pop().join()
        self._selector.close()
        self._waker.close()
        self._wakes.close()

    def _serve(self) -> None:
        when_waiting(self._give_up)
        try:
            while self._succeed():
                try:
                    self._lead()
                except Exception:
                    # whatever it was, somebody must go on
                    log.exception("a mistake in a listener")
                    self._give_up()
                with self._lock:
                    self._queued += 1
        finally:
            self._give_up()
            end_moment()
            with self._lock:
                self._threads.discard(threading.current_thread())

    # the heir

    def _succeed(self) -> bool:
        """Wait until there is nobody who leads, or who leads is held up; False at the end."""
        with self._next:
            seen, idle = -1, 0
            while not self._stopping:
                with self._lock:
                    if self._leader is None or (self._work is not None and self._turn == seen):
                        self._depose()
                        self._leader = threading.get_ident()
                        self._queued -= 1
                        self._provide_heir()
                        return True
                working = self._work is not None
                seen = self._turn if working else -1
                idle = 0 if working else idle + 1
                if idle > _DOZE_AFTER:
                    self._doze()
                    idle = 0
                elif self._alarm.wait(_TICK):
                    self._alarm.clear()
        return False

    def _doze(self) -> None:
        self._alarm.clear()
        self._dozing = True
        # who began before he could see that we doze does not call
        if self._work is None and self._leader is not None and not self._stopping:
            self._alarm.wait()
        self._dozing = False

    def _provide_heir(self) -> None:
        if not self._queued and len(self._threads) < self._most and not self._stopping:
            thread = threading.Thread(target=self._serve, name="edge", daemon=True)
            self._queued += 1
            self._threads.add(thread)
            thread.start()

    # the leader

    def _lead(self) -> None:
        me = threading.get_ident()
        while True:
            events = self._selector.select(_SWEEP_SECONDS)
            begin_moment()
            for key, _ in events:
                if self._stopping:
                    break
                if key.data is None:
                    self._welcome(key.fileobj)
                    continue
                self._turn += 1
                self._work = key.data
                if self._dozing:
                    self._alarm.set()
                if not self._done(key.data, _advance(key.data), me):
                    return
            if self._stopping:
                with self._lock:
                    self._leader = None
                    self._resigned.notify_all()
                return
            self._sweep()

    def _done(self, member: Member, stays: bool, me: int) -> bool:
        """Put a connection back, or close it; whether we still lead."""
        with self._lock:
            stays = stays and not self._stopping
            if self._leader == me:
                self._work = None
                if not stays:
                    self._selector.unregister(member)
            elif stays:
                self._selector.register(member, selectors.EVENT_READ, member)
        if not stays:
            member.close()
        return self._leader == me

    def _give_up(self) -> None:
        """We are about to wait: let the heir lead."""
        if self._leader == threading.get_ident():
            with self._lock:
                if self._leader == threading.get_ident():
                    self._depose()
            self._alarm.set()

    def _depose(self) -> None:
        if self._work is not None:
            self._selector.unregister(self._work)
        self._leader, self._work = None, None

    def _welcome(self, source: object) -> None:
        if source is not self._listening:
            self._waker.recv(64)
            return
        try:
            member = self._accept()
        except OSError as error:
            # out of files, most likely: to ask again at once would only keep us busy until one is closed
            log.error("no connection can be accepted: %s", error)
            self._selector.unregister(self._listening)
            return
        if member is not None:
            self._selector.register(member, selectors.EVENT_READ, member)

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        with self._lock:
            keys = list(self._selector.get_map().values())
            if not any(key.fileobj is self._listening for key in keys):
                self._selector.register(self._listening, selectors.EVENT_READ)
            for key in keys:
                if key.data is not None and key.data.overdue(now):
                    self._selector.unregister(key.fd)
                    key.data.close()


def _advance(member: Member) -> bool:
    try:
        return member.advance()
    except Exception:
        log.exception("a connection is lost")
        return False
