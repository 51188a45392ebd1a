"""Where tokens survive a restart: one private file an account, replaced in one step (law 5).

Two processes may share a file, and each refresh invalidates the former refresh token, so reading, refreshing and
writing happen under one lock between processes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from davbridge.durable import write_atomically
from davbridge.errors import ConfigError


class TokenStore:
    """MSAL's serialised cache of each account. Mode 0600; without a folder it lives in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[str, str] = {}

    def read(self, account: str) -> str:
        """The serialised cache, or empty.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self._folder is None:
            return self._memory.get(account, "")
        try:
            return self._file(account).read_text("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token file {self._file(account)} cannot be read: {error}") from error

    def write(self, account: str, serialised: str) -> None:
        """Replace the account's cache.

        Raises:
            ConfigError: the file cannot be written.
        """
        if self._folder is None:
            self._memory[account] = serialised
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._file(account), serialised.encode(), mode=0o600)
        except OSError as error:
            raise ConfigError(f"the token file {self._file(account)} cannot be written: {error}") from error

    @contextmanager
    def locked(self, account: str) -> Iterator[None]:
        """Hold the lock between processes for one account."""
        if self._folder is None:
            yield
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file(account).with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _file(self, account: str) -> Path:
        assert self._folder is not None  # noqa: S101 - the callers have looked
        return self._folder / f"{account}.json"
