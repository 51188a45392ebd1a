"""What the control interface knows, for a person to read: made from the code that does it."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable
from dataclasses import fields
from itertools import pairwise

from davbridge.emulator import quirks
from davbridge.emulator.control import ROUTES
from davbridge.emulator.faults import ACTIONS, OPERATIONS
from davbridge.emulator.named import signature

_WIDTH = 110


def catalogue() -> str:
    """Routes, operations, actions and quirks, with what each is for."""
    return "\n\n".join(
        (
            _list("At `control_url`, with JSON bodies; what is in brackets may be left out:", _routes()),
            _paragraph("Operations, for `POST /fault` (`*`: any Graph call):", OPERATIONS),
            _list("Actions, for `POST /fault`, with fields of their own:", _actions()),
            _list("Quirks, for `POST /quirk`, with the values that they have at the start:", _quirks()),
        )
    )


def _routes() -> Iterable[tuple[str, str]]:
    for where, handler in ROUTES.items():
        takes = signature(handler)
        yield f"{where} {{{takes}}}" if takes else where, inspect.getdoc(handler) or ""


def _actions() -> Iterable[tuple[str, str]]:
    for name, action in ACTIONS.items():
        takes = signature(action)
        yield f"{name} {{{takes}}}" if takes else name, inspect.getdoc(action) or ""


def _quirks() -> Iterable[tuple[str, str]]:
    (body,) = [one.body for one in ast.parse(inspect.getsource(quirks.Quirks)).body if isinstance(one, ast.ClassDef)]
    # a field's docstring is the expression behind it, which Python itself forgets
    said = {
        one.target.id: ast.literal_eval(after.value)
        for one, after in pairwise(body)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(after, ast.Expr)
    }
    for field in fields(quirks.Quirks):
        yield f"{field.name}: {json.dumps(field.default)}", said[field.name]


def _list(title: str, entries: Iterable[tuple[str, str]]) -> str:
    lines = [title]
    for name, text in entries:
        lines += [
            f"  {name}",
            textwrap.fill(" ".join(text.split()), _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6),
        ]
    return "\n".join(lines)


def _paragraph(title: str, names: Iterable[str]) -> str:
    whole = ", ".join(name.replace(" ", "\xa0") for name in names)  # no line ends inside a name
    text = textwrap.fill(whole, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return title + "\n" + text.replace("\xa0", " ")
