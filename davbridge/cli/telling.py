"""What commands say to a person at a terminal."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click


def tell(text: str = "", *, err: bool = False) -> None:
    """One paragraph to the person. Names come from Microsoft: what could steer the terminal is left out."""
    click.echo(printable(text), err=err)


def printable(text: str) -> str:
    """The text with a mark for each character that is no text."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def program(name: str) -> str:
    """A program in a line to paste, as a shell finds it: by its name, or in the folder of this Python."""
    beside = Path(sys.executable).with_name(name)
    return shlex.quote(str(beside)) if not shutil.which(name) and beside.exists() else name
