"""A program at a pseudo-terminal, and somebody who answers it.

The program is started by `subprocess`, not by a fork of our own: the tests' emulator has threads, and a fork beside
threads may hang.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
from pexpect.fdpexpect import fdspawn

_BOOT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the pseudo-terminal the one that Ctrl-C comes from, then becomes the program."""


@dataclass
class Terminal:
    """The screen and the keys. `seen` is all that was shown."""

    process: subprocess.Popen[bytes]
    screen: fdspawn
    seen: list[str] = field(default_factory=list)

    def wait_for(self, pattern: str) -> str:
        """Wait until a pattern shows; its first group, or all of it."""
        try:
            self.screen.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF):
            raise AssertionError(f"no {pattern!r} came after:\n{self.text}\n{self.screen.before}") from None
        found = self.screen.match
        self.seen += [self.screen.before, found[0]]
        return str(found[1] if found.re.groups else found[0])

    def answer(self, question: str, *answers: str) -> None:
        """Type an answer when a question has come; several: each is asked for again."""
        for one in answers:
            self.wait_for(question)
            self.screen.sendline(one)

    def press(self, key: str) -> None:
        self.screen.send(key)

    def end(self) -> int:
        """Wait for the program's end; its exit status."""
        try:
            self.screen.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            raise AssertionError(f"it did not end:\n{self.text}\n{self.screen.before}") from None
        self.seen.append(self.screen.before)
        return self.process.wait(30)

    @property
    def text(self) -> str:
        return "".join(self.seen).replace("\r\n", "\n")


@contextmanager
def at_terminal(*words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """A davbridge command at a terminal of its own, killed at the end of the block if it is still there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", _BOOT, sys.executable, "-m", "davbridge", *words]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env, start_new_session=True
    )
    os.close(theirs)
    screen = fdspawn(ours, encoding="utf-8", timeout=60)
    screen.delaybeforesend = None
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        screen.close()
