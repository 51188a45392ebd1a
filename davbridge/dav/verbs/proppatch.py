"""PROPPATCH (RFC 4918 §9.2): all of it or nothing.

Times that clients want kept (Explorer's Win32LastModifiedTime, WinSCP's getlastmodified, rclone's lastmodified) go to
the item in one call; everything that is not ours is a dead property.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from davbridge.dav.conditions import check_if, check_preconditions, require_unlocked
from davbridge.dav.dates import parse_date
from davbridge.dav.message import Request, Response
from davbridge.dav.properties import PROTECTED
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements, empty_element, read_xml, serialise
from davbridge.drivers.protocol import Times

_MICROSOFT = "{urn:schemas-microsoft-com:}"
_MODIFIED = {DAV + "getlastmodified", DAV + "lastmodified", _MICROSOFT + "Win32LastModifiedTime"}
_CREATED = {DAV + "creationdate", _MICROSOFT + "Win32CreationTime"}


@dataclass
class _Changes:
    """What a body asks for. `refused` holds names and the status of each."""

    names: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    dead: dict[str, str | None] = field(default_factory=dict)
    modified: datetime | None = None
    created: datetime | None = None


def handle(request: Request) -> Response:
    """207 with a status for each property; when one fails, the others are 424 and nothing has changed."""
    changes = _read(request)
    check_if(request)
    check_preconditions(request, lambda: request.driver.stat(request.path))
    if "Microsoft Office" not in request.agent:
        # Office sends no token with PROPPATCH on a file that it has locked (clients §3.2)
        require_unlocked(request, request.path)
    if not changes.refused:
        # before the times go to Microsoft: what is refused after that would be half done
        request.shared.deadprops.check(request.mount.name, request.path, changes.dead)
    if changes.refused or not (changes.modified or changes.created):
        item = request.driver.stat(request.path)
    else:
        item = request.driver.set_times(request.path, Times(changes.modified, changes.created))
    if not changes.refused and changes.dead:
        request.shared.deadprops.change(request.mount.name, request.path, changes.dead)
    slash = "/" if item.is_folder and not request.prefix.endswith("/") else ""
    return _response(request.prefix + slash, changes)


def _read(request: Request) -> _Changes:
    root = read_xml(request)
    if root is None or root.tag != DAV + "propertyupdate":
        raise Refusal(400, "the body is not a propertyupdate element")
    changes = _Changes()
    # what we do not know is skipped, and not taken for something that we do (§17)
    for action in elements(root):
        if action.tag not in (DAV + "set", DAV + "remove"):
            continue
        for properties in action.iterchildren(DAV + "prop"):
            for element in elements(properties):
                _add(changes, element.tag, serialise(element), element.text or "", removed=action.tag == DAV + "remove")
    return changes


def _add(changes: _Changes, name: str, xml: str, text: str, *, removed: bool) -> None:
    """Note one change; of several for one name the last counts, as §9.2 wants them carried out in order."""
    if name not in changes.names:
        changes.names.append(name)
    if name in PROTECTED:
        changes.refused[name] = 403
        return
    if name in _MODIFIED | _CREATED:
        moment = None if removed else parse_date(text)
        if moment is not None and name in _MODIFIED:
            changes.modified = moment
        elif moment is not None:
            changes.created = moment
        elif name.startswith(DAV):
            changes.refused[name] = 409
            return
    if not name.startswith(DAV) or name not in _MODIFIED | _CREATED:
        changes.dead[name] = None if removed else xml


def _response(href: str, changes: _Changes) -> Response:
    groups: dict[int, list[str]] = {}
    for name in changes.names:
        status = changes.refused.get(name, 424 if changes.refused else 200)
        groups.setdefault(status, []).append(name)
    texts = {200: "OK", 403: "Forbidden", 409: "Conflict", 424: "Failed Dependency"}
    parts = []
    for status, names in sorted(groups.items()):
        error = "<D:error><D:cannot-modify-protected-property/></D:error>" if status == 403 else ""
        properties = "".join(empty_element(name) for name in names)
        line = f"<D:status>HTTP/1.1 {status} {texts[status]}</D:status>"
        parts.append(f"<D:propstat><D:prop>{properties}</D:prop>{line}{error}</D:propstat>")
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:"><D:response>'
        f"<D:href>{escape(href)}</D:href>{''.join(parts)}</D:response></D:multistatus>\n"
    )
    return Response(207, [("Content-Type", "application/xml; charset=utf-8")], [body.encode()])
