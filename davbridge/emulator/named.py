"""What other processes ask for by name, against what there is: each mistake is a sentence that lists what is known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Thing = TypeVar("Thing")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", list: "a list"}


def pick(what: str, name: object, known: Mapping[str, Thing]) -> Thing:
    """What is known by the name. Raises ValueError, with all names."""
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"there is no {what} {name!r}, but {', '.join(known)}")
    return known[name]


def signature(function: Callable[..., object]) -> str:
    """What a function (by keyword only) or a dataclass takes: `rate, [seed]`, `…` for more."""
    return ", ".join(
        "…" if one.kind is one.VAR_KEYWORD else one.name if one.default is one.empty else f"[{one.name}]"
        for one in _parameters(function)
    )


def arguments(where: str, function: Callable[..., object], given: Mapping[str, object]) -> dict[str, Any]:
    """`given`, as what `function` takes.

    Raises:
        ValueError: something is missing, not known, or of another type than its annotation.
    """
    fields = {one.name: one for one in _parameters(function) if one.kind is not one.VAR_KEYWORD}
    takes = f"it takes {signature(function) or 'nothing'}"
    for name, one in fields.items():
        if one.default is one.empty and name not in given:
            raise ValueError(f"{where} lacks {name!r}: {takes}")
    open_ended = len(fields) < len(_parameters(function))
    if not open_ended and (unknown := [name for name in given if name not in fields]):
        raise ValueError(f"{where} knows no {unknown[0]!r}: {takes}")
    hints = get_type_hints(function)
    return {name: checked(name, value, hints[name]) if name in fields else value for name, value in given.items()}


def checked(name: str, value: object, hint: Any) -> object:
    """A value out of JSON as one of the type: whole numbers are numbers, too, and a text stands for bytes.

    Raises:
        ValueError: it is of another type.
    """
    kinds = get_args(hint) if isinstance(hint, UnionType) else (get_origin(hint) or hint,)
    if bytes in kinds and isinstance(value, str):
        return value.encode()
    allowed = (*kinds, int) if float in kinds else kinds
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds):
        words = " or ".join(_WORDS.get(kind, "a text") for kind in kinds if kind is not NoneType)
        raise ValueError(f"{name} is {words}, not {value!r}")
    return value


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    given = inspect.signature(function).parameters.values()
    return list(given) if isinstance(function, type) else [one for one in given if one.kind >= one.KEYWORD_ONLY]
