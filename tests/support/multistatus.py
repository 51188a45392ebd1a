"""What a PROPFIND answer means, in slow and plain words: RFC 4918 and the fact sheets, one element tree a resource.

Shares no code with the renderer under test; it is told what there is and says what has to be answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from lxml import etree

from davbridge.dav.locks import Lock
from davbridge.drivers.protocol import Item, Quota

D, CS = "{DAV:}", "{http://calendarserver.org/ns/}"
ALLPROP = ("creationdate", "displayname", "getcontentlength", "getcontenttype", "getetag", "getlastmodified")
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
REPORTS = "<supported-report><report><sync-collection/></report></supported-report>"


@dataclass
class Asked:
    """A request. `names` are Clark names in `kind` "prop" and "include"; the other kinds are allprop and propname."""

    kind: str
    names: tuple[str, ...] = ()
    agent: str = ""


@dataclass
class Place:
    """One resource: its href, the item, the locks that cover it, its dead properties by Clark name."""

    href: str
    item: Item
    locks: list[Lock] = field(default_factory=list)
    dead: Mapping[str, str] = field(default_factory=dict)


def segment(name: str) -> str:
    """One name in an href."""
    return quote(name, safe="-._~!$'()*,:@=", errors="surrogatepass")


def body_of(asked: Asked) -> bytes:
    """The request's body."""
    if asked.kind == "nothing":
        return b""
    root = etree.Element(D + "propfind", nsmap={"D": "DAV:"})
    if asked.kind == "propname":
        etree.SubElement(root, D + "propname")
    else:
        if asked.kind in ("allprop", "include"):
            etree.SubElement(root, D + "allprop")
        if asked.kind in ("prop", "include"):
            inside = etree.SubElement(root, D + asked.kind)
            for name in asked.names:
                etree.SubElement(inside, name)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def expected(place: Place, asked: Asked, quota: Quota | None, token: str, now: float) -> Any:
    """The response element for one place."""
    explorer = "MiniRedir" in asked.agent
    has = properties(place, quota, token, now, lock_root="WebDAVFS" not in asked.agent)
    if "Darwin/24.4" in asked.agent:
        for name in ("quota-available-bytes", "quota-used-bytes"):
            has.pop(D + name, None)
    usual = [D + name for name in (*ALLPROP, "resourcetype")]
    usual += [] if explorer and asked.kind != "propname" else [D + "lockdiscovery", D + "supportedlock"]
    if explorer:
        usual.remove(D + "getetag")
    wanted = [*usual, *place.dead, *asked.names] if asked.kind != "prop" else list(asked.names)
    if place.item.is_folder and D + "getetag" not in asked.names:
        wanted = [name for name in wanted if name != D + "getetag"]
    wanted = list(dict.fromkeys(wanted))
    found = [has[name] for name in wanted if name in has]
    lost = [etree.Element(name) for name in wanted if name not in has] if asked.kind == "prop" else []
    if asked.kind == "propname":
        found = [etree.Element(element.tag) for element in found]
    response = etree.Element(D + "response")
    etree.SubElement(response, D + "href").text = place.href
    for elements, status in ((found, "HTTP/1.1 200 OK"), (lost, "HTTP/1.1 404 Not Found")):
        if elements or (elements is found and not lost):
            part = etree.SubElement(response, D + "propstat")
            etree.SubElement(part, D + "prop").extend(elements)
            etree.SubElement(part, D + "status").text = status
    return response


def properties(place: Place, quota: Quota | None, token: str, now: float, *, lock_root: bool) -> dict[str, Any]:
    """All that the resource has, by Clark name."""
    item, folder = place.item, place.item.is_folder
    texts = {
        "creationdate": iso(item.created),
        "displayname": legal(item.name),
        "getcontenttype": "httpd/unix-directory" if folder else item.content_type,
        "getlastmodified": http(item.modified),
        "iscollection": "1" if folder else "0",
        "ishidden": "1" if item.name.startswith("~$") else "0",
        "isreadonly": "0",
    }
    if folder:
        texts["isFolder"] = "t"
    else:
        texts["getcontentlength"] = str(item.size)
    if item.stamp if folder else item.etag:
        texts["getetag"] = f'"{item.stamp if folder else item.etag}"'
    if quota is not None:
        texts |= {"quota-available-bytes": str(quota.available), "quota-used-bytes": str(quota.used)}
    if folder and token:
        texts["sync-token"] = f"urn:davbridge:sync:{token}"
    has = {D + name: leaf(D + name, text) for name, text in texts.items()}
    if folder and item.stamp:
        has[CS + "getctag"] = leaf(CS + "getctag", item.stamp)
    kind = has[D + "resourcetype"] = etree.Element(D + "resourcetype")
    if folder:
        etree.SubElement(kind, D + "collection")
    if folder and token:
        has[D + "supported-report-set"] = nested(
            "supported-report-set", "supported-report", "report", "sync-collection"
        )
    scopes = "".join(
        f"<lockentry><lockscope><{scope}/></lockscope><locktype><write/></locktype></lockentry>"
        for scope in ("exclusive", "shared")
    )
    has[D + "supportedlock"] = etree.fromstring(f"<supportedlock xmlns='DAV:'>{scopes}</supportedlock>")
    discovery = has[D + "lockdiscovery"] = etree.Element(D + "lockdiscovery")
    discovery.extend(active(lock, now, lock_root) for lock in place.locks)
    return {**has, **{name: etree.fromstring(xml) for name, xml in place.dead.items()}}


def active(lock: Lock, now: float, lock_root: bool) -> Any:
    """RFC 4918 §14.1."""
    element = etree.Element(D + "activelock")
    element.append(nested("locktype", "write"))
    element.append(nested("lockscope", "exclusive" if lock.exclusive else "shared"))
    element.append(leaf(D + "depth", "infinity" if lock.infinite else "0"))
    element.append(etree.fromstring(lock.owner))
    element.append(leaf(D + "timeout", f"Second-{round(lock.expires - now)}"))
    etree.SubElement(element, D + "locktoken").append(leaf(D + "href", lock.token))
    if lock_root:
        path = "/me" + "".join("/" + segment(name) for name in lock.path.names)
        etree.SubElement(element, D + "lockroot").append(leaf(D + "href", path if lock.path.names else "/me/"))
    return element


def leaf(name: str, text: str) -> Any:
    """An element with text."""
    element = etree.Element(name)
    element.text = text or None
    return element


def nested(*names: str) -> Any:
    """Empty elements, each in the one before."""
    element = outer = etree.Element(D + names[0])
    for name in names[1:]:
        element = etree.SubElement(element, D + name)
    return outer


def legal(text: str) -> str:
    """XML 1.0 §2.2: what may not be in a document is a replacement character."""
    return "".join(
        c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else "\ufffd" for c in text
    )


def iso(moment: datetime) -> str:
    """RFC 3339."""
    return moment.strftime(f"{moment.year:04}-%m-%dT%H:%M:%SZ")


def http(moment: datetime) -> str:
    """RFC 9110 §5.6.7."""
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def shape(element: Any) -> object:
    """The element without prefixes, and the properties in no order."""
    parts: Iterable[object] = [shape(child) for child in element]
    if element.tag == D + "prop":
        parts = sorted(parts, key=repr)
    return element.tag, sorted(element.attrib.items()), element.text or "", list(parts)
