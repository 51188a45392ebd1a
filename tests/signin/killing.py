"""Refreshes in processes that are killed: run as a program, so that it can fork without threads.

`python -m tests.signin.killing FOLDER KILLS`, with an emulator's configuration in FOLDER/config.yaml. Each child opens
the account and refreshes, or signs in again, without end; it is killed after a random part of the time that some
refreshes take on this machine, busy as it may be. The parent then looks.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from davbridge.accounts import settings, token_store
from davbridge.clock import SystemClock
from davbridge.config import Config, load
from davbridge.tokens import open_account, sign_in
from davbridge.tokens.store import TokenStore


class Nobody:
    """Approves whatever is shown."""

    def show(self, text: str) -> None:
        """Nothing to read."""

    def ask(self, question: str) -> str:
        return ""

    def browse(self, address: str) -> bool:
        return False


REFRESHES = 4
"""A child is killed while it makes one of its first so many."""


def refreshing(config: Config, store: TokenStore) -> float:
    """Seconds that a process needs for a refresh, its connection included."""
    began = time.monotonic()
    account = open_account(settings(config, "contoso"), store, SystemClock())
    account.token(refused=account.token())
    account.close()
    return max(0.015, time.monotonic() - began)


def child(config: Config, store: TokenStore, *, signs_in: bool) -> None:
    """Refresh, and refresh, and refresh; or store a sign-in, and again."""
    while signs_in:
        with store.locked("contoso", patience=5) as file:
            file.write(file.read(), keep=True)
    account = open_account(settings(config, "contoso"), store, SystemClock())
    token = account.token()
    while True:
        token = account.token(refused=token)


def main(folder: Path, kills: int) -> None:
    """Kill, look, and in the end refresh once more."""
    config = load(folder / "config.yaml")
    store = token_store(config, folder / "state", SystemClock())
    sign_in(settings(config, "contoso"), store, SystemClock(), Nobody())
    longest = REFRESHES * refreshing(config, store)
    seen: set[str] = set()
    for number in range(kills):
        pid = os.fork()
        if pid == 0:
            try:
                child(config, store, signs_in=number % 4 == 3)
            finally:
                os._exit(3)
        time.sleep(random.uniform(0.0, longest))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"child {number} ended by itself: {status}")
        with TokenStore(folder / "state" / "tokens").locked("contoso", patience=5) as file:
            record = file.read()
        if "0.R" not in record.cache or record.person is None or record.grant is None:
            sys.exit(f"kill {number} left {record!r}")
        seen.add(record.grant.token)
    account = open_account(settings(config, "contoso"), store, SystemClock())
    account.token(refused=account.token())
    account.close()
    left = [path.name for path in (folder / "state" / "tokens").iterdir()]
    print(len(seen), *sorted(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
