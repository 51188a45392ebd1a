"""Queries decided in Python, item by item: what `query.py` means, and what every other way is compared with.

The memory driver searches with it; the DAV layer decides with it about the folder that a search begins at.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from davbridge.drivers.protocol import Item
from davbridge.paths import DavPath, fold
from davbridge.query import (
    FOLDER_TYPE,
    UNKNOWN_TYPE,
    Both,
    Compare,
    Condition,
    Defined,
    Either,
    Field,
    IsFolder,
    Like,
    Neither,
    Operator,
    Order,
    Query,
    Wildcard,
)

_VALUES: dict[Field, Callable[[Item], str | int | None]] = {
    Field.NAME: lambda item: item.name,
    Field.SIZE: lambda item: None if item.is_folder else item.size,
    Field.MODIFIED: lambda item: int(item.modified.timestamp()),
    Field.CREATED: lambda item: int(item.created.timestamp()),
    Field.TYPE: lambda item: FOLDER_TYPE if item.is_folder else item.content_type or UNKNOWN_TYPE,
}
_OPERATORS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
}
Found = tuple[DavPath, Item]


def matches(item: Item, condition: Condition | None) -> bool:
    """True when the condition is true for the item: not when it is false, nor when it is unknown."""
    return condition is None or _truth(item, condition) is True


def select(found: Iterable[Found], query: Query) -> list[Found]:
    """Those that match, in the query's order, up to its limit. Equals stay in the order in which they came."""
    chosen = [one for one in found if matches(one[1], query.where)]
    for key in reversed(query.order):
        chosen.sort(key=lambda one, key=key: _sort_key(one[1], key), reverse=key.descending)  # type: ignore[misc]
    return chosen[: query.limit]


def _sort_key(item: Item, key: Order) -> tuple[bool, str | int]:
    value = _VALUES[key.field](item)
    if value is None:
        return (False, 0)
    return (True, fold(value) if isinstance(value, str) and key.caseless else value)


def _truth(item: Item, condition: Condition) -> bool | None:
    match condition:
        case IsFolder():
            return item.is_folder
        case Defined(field):
            return _VALUES[field](item) is not None
        case Neither(part):
            inner = _truth(item, part)
            return None if inner is None else not inner
        case Both(parts):
            return _weakest([_truth(item, part) for part in parts], decisive=False)
        case Either(parts):
            return _weakest([_truth(item, part) for part in parts], decisive=True)
        case Compare(field, how, literal, caseless):
            value = _VALUES[field](item)
            if value is None:
                return None
            return _OPERATORS[how](_cased(value, caseless), _cased(literal, caseless))
        case Like(field, pattern, caseless):
            value = _VALUES[field](item)
            return None if value is None else _is_like(str(_cased(value, caseless)), pattern, caseless)


def _weakest(truths: list[bool | None], *, decisive: bool) -> bool | None:
    """One decisive value decides; else one unknown makes all unknown."""
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _cased(value: str | int, caseless: bool) -> str | int:
    return fold(value) if isinstance(value, str) and caseless else value


def _is_like(text: str, pattern: Iterable[str | Wildcard], caseless: bool) -> bool:
    """Every place in the text that what has been read of the pattern can end at, step by step: no backtracking."""
    ends = {0}
    for part in pattern:
        if part is Wildcard.MANY:
            ends = set(range(min(ends), len(text) + 1))
        elif part is Wildcard.ONE:
            ends = {end + 1 for end in ends if end < len(text)}
        else:
            piece = str(_cased(part, caseless))
            ends = {end + len(piece) for end in ends if text.startswith(piece, end)}
        if not ends:
            return False
    return len(text) in ends
