"""The body of a `basicsearch` (RFC 5323 §5), read into a `Query`.

What is not XML of the right form is 400. What is, but asks for what we cannot do (an optional operator, a property that
is not kept in the mirror, a literal that is no value of the property), is 422: a wrong answer would look like "nothing
found". Text is compared caseless unless `caseless="no"` says otherwise; the RFC leaves that to the server.
"""

from __future__ import annotations

from typing import Any

from davbridge.dav.dates import parse_date
from davbridge.dav.multistatus import limit_of
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements
from davbridge.query import (
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

MOST_ELEMENTS = 500
"""Of one condition: SQLite stops at expressions a thousand deep."""
LONGEST_LITERAL = 1000
"""Characters: names have 255, and longer patterns only keep the database busy."""
_FIELDS = {DAV + field.value: field for field in Field}
_COMPARISONS = {DAV + operator.value: operator for operator in Operator}


def read_query(search: Any) -> Query:
    """`where`, `orderby` and `limit` of a `basicsearch` element.

    Raises:
        Refusal: 400, 422.
    """
    where = search.find(DAV + "where")
    condition = None
    if where is not None:
        if sum(1 for _ in where.iter()) > MOST_ELEMENTS:
            raise Refusal(422, f"a search may have {MOST_ELEMENTS} elements")
        condition = _condition(_only(where))
    orders = search.find(DAV + "orderby")
    order = tuple(_order(node) for node in elements(orders)) if orders is not None else ()
    return Query(condition, order, limit_of(search.find(DAV + "limit")))


def _condition(node: Any) -> Condition:
    if node.tag in (DAV + "and", DAV + "or"):
        parts = tuple(_condition(child) for child in elements(node))
        if not parts:
            raise Refusal(400, f"the element {_local(node)} is empty")
        return Both(parts) if node.tag == DAV + "and" else Either(parts)
    if node.tag == DAV + "not":
        return Neither(_condition(_only(node)))
    if node.tag == DAV + "is-collection":
        return IsFolder()
    if node.tag == DAV + "is-defined":
        return Defined(_field(node))
    if node.tag in _COMPARISONS:
        field = _field(node)
        return Compare(field, _COMPARISONS[node.tag], _value(field, _literal(node)), _is_caseless(node))
    if node.tag == DAV + "like":
        field = _field(node)
        if not field.is_text:
            raise Refusal(422, f"{field.value} has no text that a pattern could match")
        return Like(field, _pattern(_literal(node)), _is_caseless(node))
    raise Refusal(422, f"the operator {_local(node)} is not known here")


def _order(node: Any) -> Order:
    if node.tag != DAV + "order":
        raise Refusal(400, "orderby holds order elements and nothing else")
    if node.find(DAV + "score") is not None:
        raise Refusal(422, "there is no score to order by")
    return Order(_field(node), node.find(DAV + "descending") is not None, _is_caseless(node))


def _only(node: Any) -> Any:
    children = elements(node)
    if len(children) != 1:
        raise Refusal(400, f"the element {_local(node)} holds one condition")
    return children[0]


def _field(node: Any) -> Field:
    prop = node.find(DAV + "prop")
    if prop is None:
        raise Refusal(400, f"the element {_local(node)} names no property")
    names = elements(prop)
    if len(names) != 1:
        raise Refusal(400, f"the element {_local(node)} names one property")
    field = _FIELDS.get(names[0].tag)
    if field is None:
        raise Refusal(422, f"nothing can be found by the property {_local(names[0])}")
    return field


def _literal(node: Any) -> str:
    """The text as it is; white space counts (§5.8.1). The type of a typed literal is the property's anyway."""
    for name in ("literal", "typed-literal"):
        if (literal := node.find(DAV + name)) is not None:
            text = literal.text or ""
            if len(text) > LONGEST_LITERAL:
                raise Refusal(422, "the literal is too long")
            return text
    raise Refusal(400, f"the element {_local(node)} has no literal")


def _value(field: Field, text: str) -> str | int:
    if field.is_text:
        return text
    if field is Field.SIZE:
        try:
            return max(-1, min(int(text), 2**62))
        except ValueError:
            raise Refusal(422, "a length is a whole number") from None
    # dates before 1971 are what clients send for "unknown"; as a bound they are meant
    moment = parse_date(text)
    if moment is not None:
        return int(moment.timestamp())
    if text.strip()[:4].isdigit() and int(text.strip()[:4]) < 1972:
        return 0
    raise Refusal(422, "the literal is not a date")


def _pattern(text: str) -> tuple[str | Wildcard, ...]:
    r"""`%` for any text, `_` for one character, `\` before either of them or itself (§5.12)."""
    parts: list[str | Wildcard] = []
    signs = iter(text)
    for sign in signs:
        if sign in "%_":
            parts.append(Wildcard(sign))
            continue
        if sign == "\\":
            sign = next(signs, "")  # noqa: PLW2901 - the character that is meant
            if sign not in ("%", "_", "\\"):
                raise Refusal(422, "a backslash in a pattern stands before %, _ or another backslash")
        if parts and isinstance(parts[-1], str):
            parts[-1] += sign
        else:
            parts.append(sign)
    return tuple(parts)


def _is_caseless(node: Any) -> bool:
    return bool(node.get("caseless", node.get(DAV + "caseless", "yes")) != "no")


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]
