"""A search as a value: which items are wanted, in which order, how many (RFC 5323, the `basicsearch` grammar).

Why here, below `mirror` and `drivers`: the DAV layer reads it out of a request, the mirror makes SQL of it, and
`drivers.matching` decides it in Python. All three must mean the same, so the meaning is written down here once:

* Values are what PROPFIND shows. NAME is the name, TYPE `httpd/unix-directory` for folders, SIZE of a folder is
  undefined, times are whole POSIX seconds. A *caseless* comparison is one of folded names (`paths.fold`).
* Logic has three values (RFC 5323 §5.5.2): comparing an undefined value is neither true nor false, nor is its negation;
  only what is true is found. `Defined` and `IsFolder` are always true or false.
* In an order, undefined values come before all others, as in SQL.

This module must never import another module of the project, nor know XML or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FOLDER_TYPE = "httpd/unix-directory"
"""The content type of everything that is shown as a collection."""
UNKNOWN_TYPE = "application/octet-stream"
"""The content type of a file of which Microsoft tells none."""


class Field(Enum):
    """What can be asked for; the values are the local names of the DAV: properties."""

    NAME = "displayname"
    SIZE = "getcontentlength"
    MODIFIED = "getlastmodified"
    CREATED = "creationdate"
    TYPE = "getcontenttype"

    @property
    def is_text(self) -> bool:
        """True for text, which knows caseless and patterns; the others are whole numbers."""
        return self in (Field.NAME, Field.TYPE)


class Operator(Enum):
    """How a value is compared with a literal; the values are the local names of the DAV: elements."""

    EQUAL = "eq"
    LESS = "lt"
    AT_MOST = "lte"
    GREATER = "gt"
    AT_LEAST = "gte"


class Wildcard(Enum):
    """A part of a pattern that stands for other text; the values are RFC 5323's characters (§5.12)."""

    MANY = "%"
    ONE = "_"


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator literal`; the literal is text for text, else a number (POSIX seconds for times)."""

    field: Field
    operator: Operator
    literal: str | int
    caseless: bool = True


@dataclass(frozen=True, slots=True)
class Like:
    """The whole text of `field` has the pattern's form: literal text between wildcards."""

    field: Field
    pattern: tuple[str | Wildcard, ...]
    caseless: bool = True


@dataclass(frozen=True, slots=True)
class Defined:
    """The item has the property."""

    field: Field


@dataclass(frozen=True, slots=True)
class IsFolder:
    """The item is shown as a collection."""


@dataclass(frozen=True, slots=True)
class Both:
    """All of them, of which there is at least one."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of them, of which there is at least one."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """The opposite; of what is not known the opposite is not known."""

    part: Condition


Condition = Compare | Like | Defined | IsFolder | Both | Either | Neither


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order; the first of several counts most."""

    field: Field
    descending: bool = False
    caseless: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """`where` None: everything. `limit` None: all of it; else the first in the order."""

    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
