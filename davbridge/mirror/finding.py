"""Search in the mirror: a query becomes one SELECT over the folders below a folder. Every value is a bound parameter.

What the conditions mean stands in `davbridge.query`; SQL's three-valued logic is the RFC's. Folders are walked from the
one where the search begins, so nothing outside it is read; what a shortcut leads to lies in another drive and is not
searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from davbridge.mirror.rows import ITEM
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
    Query,
    Wildcard,
)
from davbridge.store.database import Row

DEEPEST = 256
"""Folders below one another; more than a path of 400 characters can hold. A row that is its own ancestor ends here."""
SHOWN = "i.kind IN ('file', 'folder', 'package')"
WALKED = "i.kind = 'folder' AND i.remote_id = ''"
"""Folders that have their children here: notebooks are shown as empty, shortcuts lead to other drives."""
_TYPE = f"CASE WHEN i.kind <> 'file' THEN '{FOLDER_TYPE}' WHEN i.mime = '' THEN '{UNKNOWN_TYPE}' ELSE i.mime END"
_COLUMNS: dict[Field, tuple[str, str]] = {
    Field.NAME: ("i.name", "i.fold"),
    Field.SIZE: ("CASE WHEN i.kind = 'file' THEN i.size END",) * 2,
    Field.MODIFIED: ("i.modified", "i.modified"),
    Field.CREATED: ("i.created", "i.created"),
    Field.TYPE: (_TYPE, f"lower({_TYPE})"),
}
"""What holds a field: as it is, and caseless."""
_OPERATORS = {
    Operator.EQUAL: "=",
    Operator.LESS: "<",
    Operator.AT_MOST: "<=",
    Operator.GREATER: ">",
    Operator.AT_LEAST: ">=",
}
Clause = tuple[str, list[Any]]


class Reads(Protocol):
    """What a `MirrorFile` and a `Database` have in common."""

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]: ...


def find(
    file: Reads, drive: int, folder: str, where: DavPath, query: Query, *, deep: bool
) -> Iterator[tuple[DavPath, Row]]:
    """What matches below the folder with that id, as path and row (`rows.ITEM`, then `below`).

    `where` is the folder's own path, which the paths begin with. Rows are read as they are asked for.
    """
    # INDEXED BY: without statistics SQLite takes the primary key's first column: the whole drive, for each folder
    condition, values = _clause(query.where)
    order = ", ".join(
        f"{_COLUMNS[key.field][key.caseless]} {'DESC' if key.descending else 'ASC'}" for key in query.order
    )
    sql = f"""
        WITH RECURSIVE folders (id, path, depth) AS (
            SELECT ?, '', 0
            UNION ALL
            SELECT i.id, f.path || '/' || i.name, f.depth + 1
            FROM folders f CROSS JOIN items i INDEXED BY items_by_name ON i.drive = ? AND i.parent = f.id
            WHERE ? AND {WALKED} AND f.depth < {DEEPEST})
        SELECT {ITEM}, i.below, f.path || '/' || i.name AS path
        FROM folders f CROSS JOIN items i INDEXED BY items_by_name ON i.drive = ? AND i.parent = f.id
        WHERE {SHOWN} AND {condition} {f"ORDER BY {order}" if order else ""} LIMIT ?"""  # noqa: S608 - all of it is ours
    limit = -1 if query.limit is None else query.limit
    for row in file.stream(sql, (folder, drive, deep, drive, *values, limit)):
        yield where.join(DavPath(tuple(row["path"].split("/")[1:]))), row


def _clause(condition: Condition | None) -> Clause:
    match condition:
        case None:
            return "1", []
        case IsFolder():
            return "(i.kind <> 'file')", []
        case Defined(field):
            return f"({_COLUMNS[field][0]} IS NOT NULL)", []
        case Neither(part):
            sql, values = _clause(part)
            return f"(NOT {sql})", values
        case Both(parts):
            return _joined(" AND ", parts)
        case Either(parts):
            return _joined(" OR ", parts)
        case Compare(field, how, literal, caseless):
            value = fold(literal) if isinstance(literal, str) and caseless else literal
            return f"({_COLUMNS[field][caseless]} {_OPERATORS[how]} ?)", [value]
        case Like(field, pattern, caseless):
            column = _COLUMNS[field][caseless]
            if caseless:
                return f"({column} LIKE ? ESCAPE '\\')", ["".join(_like(part) for part in pattern)]
            # LIKE never minds the case of ASCII letters; GLOB always does
            return f"({column} GLOB ?)", ["".join(_glob(part) for part in pattern)]


def _joined(word: str, parts: tuple[Condition, ...]) -> Clause:
    clauses = [_clause(part) for part in parts]
    return f"({word.join(sql for sql, _ in clauses)})", [value for _, values in clauses for value in values]


def _like(part: str | Wildcard) -> str:
    if isinstance(part, Wildcard):
        return part.value
    return "".join("\\" + char if char in "\\%_" else char for char in fold(part))


def _glob(part: str | Wildcard) -> str:
    if isinstance(part, Wildcard):
        return "*" if part is Wildcard.MANY else "?"
    return "".join(f"[{char}]" if char in "*?[" else char for char in part)
