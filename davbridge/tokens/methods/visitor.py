"""The person in front of a sign-in, as the methods see them."""

from __future__ import annotations

from typing import Protocol


class Visitor(Protocol):
    """A terminal, a web page, or a test."""

    def show(self, text: str) -> None:
        """Words to read."""

    def ask(self, question: str) -> str:
        """An answer in one line."""

    def browse(self, address: str) -> bool:
        """Open a browser that runs on this machine; False when there is none: the person takes another one."""
