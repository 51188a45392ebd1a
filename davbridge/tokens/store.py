"""Where sign-ins survive a restart: one sealed file an account, replaced in one step (law 5).

Two processes may share a file, and each refresh gives a new refresh token, so reading, refreshing and writing happen
under one lock between processes. Nothing here ever deletes a sign-in.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from davbridge.clock import Clock, SystemClock
from davbridge.durable import write_atomically
from davbridge.errors import Busy, ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens.record import Record, from_msal, parse
from davbridge.tokens.sealing import Seal, Unsealable, open_seal, owner_of

_LOOK_AGAIN = 0.01
Stamp = tuple[int, int, int] | None

log = logging.getLogger(__name__)


class Refreshing(Busy):
    """Another process holds the account's lock."""


class TokenFile:
    """One account's file, while its lock is held."""

    def __init__(self, path: Path, account: str, seal: Callable[[], Seal]) -> None:
        self._path = path
        self._account = account
        self._seal = seal

    def read(self) -> Record:
        """What is kept; an empty record when nobody has signed in. An earlier version's file is converted.

        Raises:
            ConfigError: the file cannot be read, or others may read it.
            NeedsSignIn: it cannot be opened with the key there is. It is left as it is.
        """
        record = read_record(self._path, self._account, self._seal)
        plain = self._path.with_name(f"{self._account}.json")
        if "/" in self._account or not plain.exists():
            return record or Record()
        if record is None:
            try:
                record = from_msal(plain.read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise ConfigError(f"the token file {plain} cannot be read: {error}") from error
            self.write(record)
            log.info("account %r: its sign-in is stored encrypted from now on", self._account)
        plain.unlink(missing_ok=True)
        return record

    def write(self, record: Record, *, keep: bool = False) -> None:
        """Replace the file; with `keep` the former one stays beside it as `.previous`.

        Raises:
            ConfigError: the file cannot be written; the former one is untouched.
        """
        try:
            for stray in self._path.parent.glob(f".{self._path.name}.*.tmp"):
                stray.unlink(missing_ok=True)  # left by a process that was killed; nobody else writes now
            if keep and self._path.exists():
                spare = self._path.with_name(f".{self._path.name}.previous.tmp")  # a name that the sweep above takes
                os.link(self._path, spare)
                os.replace(spare, self._path.with_suffix(".previous"))
            data = self._seal().close(self._account, record.dump())
            write_atomically(self._path, data, mode=0o600, owner=owner_of(self._path.parent))
        except OSError as error:
            raise ConfigError(f"the token file {self._path} cannot be written: {error.strerror}") from error


class TokenStore:
    """The folder of the files. `key` reads the configured key; without one see `sealing`."""

    def __init__(self, folder: Path, *, key: Callable[[], Secret] | None = None, clock: Clock | None = None) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock or SystemClock()

    @contextmanager
    def locked(self, account: str, *, patience: float) -> Iterator[TokenFile]:
        """Hold the lock between processes for one account; `patience` in seconds.

        Raises:
            Refreshing: another process holds it for longer.
            ConfigError: the folder cannot be used.
        """
        path = self._path(account)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if owner := owner_of(self._folder):
                os.fchown(descriptor, *owner)
        except OSError as error:
            raise ConfigError(f"the folder {self._folder} cannot be used: {error.strerror}") from error
        try:
            self._take(descriptor, account, patience)
            yield TokenFile(path, account, self._seal)
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int, account: str, patience: float) -> None:
        # asked for again and again, since a lock that is waited for knows of no deadline
        end = self._clock.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if self._clock.monotonic() >= end:
                    told = f"account {account!r}: another process is refreshing its sign-in"
                    raise Refreshing(told, 5.0) from None
            self._clock.sleep(_LOOK_AGAIN)

    def peek(self, account: str) -> Record:
        """What is kept, without the lock and without changing anything: for reports.

        Raises: as `TokenFile.read`.
        """
        return read_record(self._path(account), account, self._seal) or Record()

    def stamp(self, account: str) -> Stamp:
        """Changes whenever the file is replaced."""
        with contextlib.suppress(OSError):
            state = self._path(account).stat()
            return (state.st_ino, state.st_mtime_ns, state.st_size)
        return None

    def _seal(self) -> Seal:
        # anew each time: a key may be replaced or brought back meanwhile, and files are read and written seldom
        return open_seal(self._folder, self._key)

    def _path(self, account: str) -> Path:
        return self._folder / f"{quote(account, safe=' ')}.tokens"


def read_record(path: Path, account: str, seal: Callable[[], Seal]) -> Record | None:
    """The record in a sealed file; None without one. Raises as `TokenFile.read`."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"the token file {path} can be read by others: `chmod 600 {path}`")
    try:
        return parse(seal().open(account, data))
    except (Unsealable, ValueError) as error:
        raise NeedsSignIn(
            f"account {account!r}: the token file {path} cannot be opened: {error}. Bring its key back, "
            f"or sign in again: `davbridge login {account}`"
        ) from None
