"""What is told of reloads: to the log, to systemd, and to whoever asked by `davbridge reload`."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from davbridge.config import Config, load
from davbridge.config.changes import Changes, changes
from davbridge.config.exposed import exposed
from davbridge.errors import BridgeError, ConfigError
from davbridge.presence import Outcome, Presence

log = logging.getLogger("davbridge")


class Reloads:
    """For the process that was started: the only one, or the supervisor. Each `begin` is followed by one end.

    `stopping` is set once the bridge is about to end.
    """

    def __init__(self, source: Path, presence: Presence) -> None:
        self._source = source
        self._presence = presence
        self.stopping = False

    @classmethod
    @contextmanager
    def told(cls, folder: Path, source: Path) -> Iterator[Reloads]:
        """In the block, `davbridge reload` finds this process by its state folder.

        Raises:
            ConfigError: the folder takes no file.
        """
        try:
            presence = Presence.announce(folder)
        except OSError as error:
            raise ConfigError(f"the state folder {folder} cannot be used: {error.strerror}") from None
        try:
            yield cls(source, presence)
        finally:
            presence.close()

    def begin(self, running: Config) -> Changes | None:
        """Read the file. None: it is over already, since the file cannot be used, or we are about to end."""
        self._note_begin()
        if not self.stopping:
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            if self.stopping:
                raise BridgeError("the bridge is about to end")
            return changes(running, load(self._source))
        except BridgeError as error:
            self.failed(error)
        except Exception:
            self.broke()
        return None

    def done(self, taken: Changes) -> None:
        """All serve with it."""
        log.info("reloaded %s: %s", self._source, taken.sentence)
        for told in exposed(taken.config):
            log.warning("%s", told)
        self._end(Outcome(0, taken.sentence), "")

    def failed(self, error: BridgeError) -> None:
        """What served before goes on."""
        log.error("not reloaded, the former configuration goes on: %s", str(error).replace("\n", "; "))
        self._end(Outcome(error.exit_status, str(error)), "not reloaded, the former configuration goes on")

    def broke(self) -> None:
        """As `failed`, for what nobody has thought of; to be called where it was caught."""
        log.exception("not reloaded, the former configuration goes on")
        self._end(Outcome(1, "an error of the bridge's own; its log has more"), "not reloaded")

    def _note_begin(self) -> None:
        try:
            self._presence.began()
        except OSError as error:
            log.warning("nobody can be told of the reload: %s", error.strerror)

    def _end(self, outcome: Outcome, status: str) -> None:
        if not self.stopping:
            notify(f"READY=1\nSTATUS={status}")
        try:
            self._presence.ended(outcome)
        except OSError as error:
            log.warning("nobody can be told of the reload: %s", error.strerror)


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing without it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.send(state.encode())
