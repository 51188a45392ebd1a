"""The person at the terminal, for a sign-in."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from davbridge.cli.telling import tell


class TerminalVisitor:
    """Shows on standard output, asks on the terminal. `paste`: no browser here, whatever the surroundings say."""

    def __init__(self, *, paste: bool = False) -> None:
        self._paste = paste

    def show(self, text: str) -> None:
        tell(text)

    def ask(self, question: str) -> str:
        return str(click.prompt(question))

    def browse(self, address: str) -> bool:
        """Open a browser, where there is a screen."""
        if self._paste or not _has_screen():
            return False
        return webbrowser.open(address)


def _has_screen() -> bool:
    if os.environ.get("SSH_CONNECTION") or not sys.stdout.isatty():
        return False  # it would open where nobody sees it
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
