"""XML bodies of requests: bounded, without entities, whatever Content-Type they come with."""

from __future__ import annotations

from typing import Any

from lxml import etree

from davbridge.dav.message import Request
from davbridge.dav.refusal import Refusal

LARGEST = 256 * 1024
DAV = "{DAV:}"


def read_xml(request: Request) -> Any:
    """The root element of the body, or None when there is no body.

    UTF-16 and byte order marks are read (BitKinex); the Content-Type is not looked at (iOS sends a form's).

    Raises:
        Refusal: 413 for a body over 256 KiB; 400 for what is not XML, or declares a document type: entities are how
            parsers are attacked, and no DAV client needs them.
    """
    return parse_xml(read_small(request))


def parse_xml(raw: bytes) -> Any:
    """The root element, or None for nothing but white space.

    Raises:
        Refusal: 400, as `read_xml`.
    """
    if not raw.strip():
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root: Any = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Refusal(400, "the body is not well-formed XML") from None
    if root.getroottree().docinfo.doctype:
        raise Refusal(400, "the body may not declare a document type")
    return root


def read_small(request: Request) -> bytes:
    """The whole body, with a known length or chunked.

    Raises:
        Refusal: 413.
    """
    length = request.environ.get("CONTENT_LENGTH") or ""
    if length == "0":
        return b""
    if length.isdigit() and int(length) > LARGEST:
        raise Refusal(413, "the body is too large", headers=[("Connection", "close")])
    if not length and not request.environ.get("wsgi.input_terminated"):
        return b""
    source = request.environ["wsgi.input"]
    parts, missing = [], int(length) if length.isdigit() else LARGEST + 1
    while missing > 0 and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    raw = b"".join(parts)
    if len(raw) > LARGEST:
        raise Refusal(413, "the body is too large", headers=[("Connection", "close")])
    return raw


def elements(node: Any) -> list[Any]:
    """The child elements (no comments, no processing instructions)."""
    return [child for child in node if isinstance(child.tag, str)]


def serialise(node: Any) -> str:
    """An element as text, with the namespaces and the xml:lang that it needs on its own."""
    if (language := _language(node)) is not None:
        node.set("{http://www.w3.org/XML/1998/namespace}lang", language)
    return str(etree.tostring(node, encoding="unicode", with_tail=False))


def _language(node: Any) -> str | None:
    while node is not None:
        if (value := node.get("{http://www.w3.org/XML/1998/namespace}lang")) is not None:
            return str(value)
        node = node.getparent()
    return None


def empty_element(name: str) -> str:
    """`{namespace}local`, or `local` alone, as an empty element; our own prefix where we have one."""
    namespace, _, local = name.removeprefix("{").rpartition("}")
    if not namespace:
        return f'<{local} xmlns=""/>'
    if namespace == "DAV:":
        return f"<D:{local}/>"
    return f'<x:{local} xmlns:x="{_attribute(namespace)}"/>'


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
