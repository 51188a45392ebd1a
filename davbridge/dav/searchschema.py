"""What can be searched, for clients that ask before they do (RFC 5323 §4, query schema discovery)."""

from __future__ import annotations

from html import escape

from davbridge.dav.properties import LIVE
from davbridge.query import Field, Operator

_TYPES = {
    Field.NAME: "string",
    Field.TYPE: "string",
    Field.SIZE: "nonNegativeInteger",
    Field.MODIFIED: "dateTime",
    Field.CREATED: "dateTime",
}


def schema_response(href: str) -> str:
    """The response element that describes searches at `href`."""
    return (
        f"<D:response><D:href>{escape(href)}</D:href><D:status>HTTP/1.1 200 OK</D:status><D:query-schema>"
        f"<D:basicsearchschema><D:properties>{_properties()}</D:properties><D:operators>{_operators()}</D:operators>"
        "</D:basicsearchschema></D:query-schema></D:response>\n"
    )


def _properties() -> str:
    parts = []
    for field, kind in _TYPES.items():
        caseless = "<D:caseless/>" if field.is_text else ""
        datatype = f'<D:datatype><xs:{kind} xmlns:xs="http://www.w3.org/2001/XMLSchema"/></D:datatype>'
        parts.append(
            f"<D:propdesc><D:prop><D:{field.value}/></D:prop>{datatype}"
            f"<D:searchable/><D:selectable/><D:sortable/>{caseless}</D:propdesc>"
        )
    rest = [name for name in LIVE if name not in {field.value for field in Field}]
    parts += [f"<D:propdesc><D:prop><D:{name}/></D:prop><D:selectable/></D:propdesc>" for name in rest]
    parts.append("<D:propdesc><D:any-other-property/><D:selectable/></D:propdesc>")
    return "".join(parts)


def _operators() -> str:
    operands = "<D:operand-property/><D:operand-literal/>"
    described = [f"<D:opdesc><D:{operator.value}/>{operands}</D:opdesc>" for operator in Operator]
    described.append(f"<D:opdesc><D:like/>{operands}</D:opdesc>")
    return "".join(described)
