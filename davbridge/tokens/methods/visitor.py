"""The person in front of a sign-in, as the methods see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class Visitor(Protocol):
    """A terminal, a web page, or a test."""

    def show(self, text: str) -> None:
        """Words to read."""

    def ask(self, question: str) -> str:
        """An answer in one line."""

    def browse(self, address: str) -> bool:
        """Open a browser that runs on this machine; False when there is none: the person takes another one."""


@dataclass(frozen=True)
class DeviceCode:
    """What a person types (`code`), on which page, and until when (POSIX seconds)."""

    code: str
    page: str
    ends: float


@runtime_checkable
class WebPage(Visitor, Protocol):
    """A visitor who sees a page of the bridge in a browser of their own, on whatever machine."""

    redirect_uri: str
    """Where Microsoft sends that browser afterwards; it must be registered."""

    def show_code(self, code: DeviceCode) -> None:
        """The code to type elsewhere, with its page as a link."""

    def bring(self, address: str) -> str:
        """Show `address` as a link, and wait for the one at which the browser ends.

        Raises:
            Forbidden: nobody has come back.
        """
