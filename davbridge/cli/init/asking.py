"""Questions in a plain terminal: a bad answer is asked again, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from pydantic import ValidationError

from davbridge.cli.telling import tell
from davbridge.errors import BridgeError

Answer = TypeVar("Answer")


def ask(question: str, check: Callable[[str], Answer], *, default: str | None = None, hidden: bool = False) -> Answer:
    """Ask until `check` takes the answer. It raises ValueError or one of our errors, whose words are shown.

    Raises:
        click.Abort: Ctrl-C, or the end of the input.
    """
    while True:
        given = click.prompt(question, default=default, hide_input=hidden, show_default=bool(default))
        try:
            return check(given if hidden else given.strip())
        except ValidationError as error:
            tell(f"  {error.errors()[0]['msg'].removeprefix('Value error, ')}")
        except (BridgeError, ValueError) as error:
            tell(f"  {error}")


def ask_or_none(question: str, check: Callable[[str], Answer]) -> Answer | None:
    """As `ask`; an empty answer is None, and leads back."""
    return ask(f"{question} (nothing: back)", lambda given: check(given) if given else None, default="")


def choose(question: str, options: Sequence[tuple[str, str]], default: str | None = None) -> str:
    """Let one be taken, by its number or by its word. `options`: words, and what they mean; the word is returned."""
    words = [word for word, _ in options]
    tell(f"\n{question}")
    for number, (word, meaning) in enumerate(options, 1):
        tell(f"  {number:2}  {meaning or word}")
    preset = str(words.index(default) + 1) if default in words else None
    return ask("Number", lambda given: words[_number(given, words) - 1], default=preset)


def choose_several(question: str, labels: Sequence[str]) -> list[int]:
    """Let several be taken: `1`, `1,3` or `all`; an empty answer takes none. Indexes are returned."""
    tell(f"\n{question}")
    for number, label in enumerate(labels, 1):
        tell(f"  {number:2}  {label}")

    def check(given: str) -> list[int]:
        if given.lower() == "all":
            return list(range(len(labels)))
        parts = [part for part in given.replace(",", " ").split() if part]
        return list(dict.fromkeys(_number(part, labels) - 1 for part in parts))

    return ask("Numbers with commas, all, or nothing for none", check, default="")


def confirm(question: str, *, default: bool) -> bool:
    """Yes or no."""
    return click.confirm(question, default=default)


def _number(given: str, known: Sequence[str]) -> int:
    if given.lower() in known:
        return known.index(given.lower()) + 1
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= len(known):
        raise ValueError(f"{given!r} is none of them: type a number from 1 to {len(known)}")
    return int(given)
