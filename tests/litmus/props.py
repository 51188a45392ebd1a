"""The suite `props`: PROPFIND and PROPPATCH."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from tests.litmus.harness import Fail, Session, Skip, Suite, whole

NS = "http://example.com/neon/litmus/"
HEAD = '<?xml version="1.0" encoding="utf-8"?>'
MANY = 10


def _find(session: Session, inside: str, name: str = "prop") -> dict[str, str]:
    body = f'{HEAD}<D:propfind xmlns:D="DAV:"><D:prop>{inside}</D:prop></D:propfind>'
    return (
        session.succeed(session.dav.propfind(session.notes.get("name", name), body=body), "PROPFIND").resources[0].found
    )


def _patch(session: Session, *actions: str) -> None:
    body = f'{HEAD}<D:propertyupdate xmlns:D="DAV:">{"".join(actions)}</D:propertyupdate>'
    answer = session.succeed(session.dav.request("PROPPATCH", session.notes["name"], body=body), "PROPPATCH")
    if answer.status == 207 and any(
        not 200 <= status < 300 for one in answer.resources for status in one.statuses.values()
    ):
        raise Fail("PROPPATCH did not set every property")


def _set(name: str, value: str, namespace: str = NS) -> str:
    return f'<D:set><D:prop><{name} xmlns="{namespace}">{value}</{name}></D:prop></D:set>'


def _remove(name: str, namespace: str = NS) -> str:
    return f'<D:remove><D:prop><{name} xmlns="{namespace}"/></D:prop></D:remove>'


def propfind_invalid(session: Session) -> None:
    """400 for a body that is not well-formed."""
    session.demand(session.dav.propfind("", body=HEAD + "<foo>"), "PROPFIND with half an element", 400)


def propfind_invalid2(session: Session) -> None:
    """400 for a namespace prefix that is declared empty."""
    inside = '<D:propfind xmlns:D="DAV:"><D:prop><bar:foo xmlns:bar=""/></D:prop></D:propfind>'
    session.demand(session.dav.propfind("", body=HEAD + inside), "PROPFIND with a bad namespace", 400)


def propfind_d0(session: Session) -> None:
    """Depth 0 on a collection is one response, and says that it is one."""
    body = f'{HEAD}<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>'
    found = session.succeed(session.dav.propfind("", body=body), "PROPFIND").resources
    if len(found) != 1 or "collection" not in found[0]["resourcetype"]:
        raise Fail("Depth 0 on a collection is not one collection")


def propinit(session: Session) -> None:
    """A file to put properties on."""
    session.notes.clear()
    session.notes["name"] = "prop"
    session.dav.delete("prop")
    session.dav.delete("prop2")
    session.succeed(session.dav.put("prop", "content"), "PUT")


def _expecting(values: dict[str, str | None]) -> None:
    EXPECTED.clear()
    EXPECTED.update(values)


EXPECTED: dict[str, str | None] = {}
"""What the next `propget` has to find: Clark names, None for a property that must be missing."""


def _storing(*actions: str, expect: dict[str, str | None]) -> Callable[[Session], None]:
    def test(session: Session) -> None:
        if "name" not in session.notes:
            raise Skip("there is no file")
        session.notes.pop("stored", None)
        _patch(session, *actions)
        session.notes["stored"] = "yes"
        _expecting(expect)

    return test


def propget(session: Session) -> None:
    """What was stored is found, and what was removed is not."""
    session.need("stored")
    names = [etree.QName(name) for name in EXPECTED]
    inside = "".join(f'<{name.localname} xmlns="{name.namespace or ""}"/>' for name in names)
    found = _find(session, inside)
    for name, value in EXPECTED.items():
        if value is None and name in found:
            raise Fail(f"{name} is still there")
        if value is not None and found.get(name) != value:
            raise Fail(f"{name} is {found.get(name)!r}, not {value!r}")


def propextended(session: Session) -> None:
    """Elements that nobody knows are ignored."""
    inside = '<D:foobar/><D:prop><D:resourcetype/></D:prop><X:more xmlns:X="urn:x"/>'
    body = f'{HEAD}<D:propfind xmlns:D="DAV:">{inside}</D:propfind>'
    session.demand(session.dav.propfind("prop", body=body), "PROPFIND with unknown elements", 207)


def propmove(session: Session) -> None:
    """Properties come along with a MOVE."""
    session.need("stored")
    session.succeed(session.dav.move("prop", "prop2", headers={"Overwrite": "T"}), "MOVE")
    session.notes["name"] = "prop2"


def propvalnspace(session: Session) -> None:
    """A value that is XML with namespaces of its own."""
    value = '<t:valnspace xmlns:t="http://example.com/props/"><foo xmlns="bar"/></t:valnspace>'
    _patch(session, f"<D:set><D:prop>{value}</D:prop></D:set>")


def propwformed(session: Session) -> None:
    """An answer with such a value is well-formed."""
    found = _find(session, '<valnspace xmlns="http://example.com/props/"/>')
    etree.fromstring(found["{http://example.com/props/}valnspace"])


def propcleanup(session: Session) -> None:
    """Leave nothing."""
    session.dav.delete(session.notes.get("name", "prop"))


def _name(number: int) -> str:
    return f"{{{NS}}}prop{number}"


_ALL = range(MANY)
_FIRST, _REST = range(MANY // 2), range(MANY // 2, MANY)
_GONE: dict[str, str | None] = {_name(number): None for number in _FIRST}
_many = {f"{{{NS}{number}}}somename": "manynsvalue" for number in _ALL}

SUITE: Suite = whole(
    [
        ("propfind_invalid", propfind_invalid),
        ("propfind_invalid2", propfind_invalid2),
        ("propfind_d0", propfind_d0),
        ("propinit", propinit),
        (
            "propset",
            _storing(
                *(_set(f"prop{number}", f"value{number}") for number in _ALL),
                expect={_name(number): f"value{number}" for number in _ALL},
            ),
        ),
        ("propget", propget),
        ("propextended", propextended),
        ("propmove", propmove),
        ("propget", propget),
        (
            "propdeletes",
            _storing(
                *(_remove(f"prop{number}") for number in _FIRST),
                expect={**_GONE, **{_name(number): f"value{number}" for number in _REST}},
            ),
        ),
        ("propget", propget),
        (
            "propreplace",
            _storing(
                *(_set(f"prop{number}", f"newvalue{number}") for number in _REST),
                expect={**_GONE, **{_name(number): f"newvalue{number}" for number in _REST}},
            ),
        ),
        ("propget", propget),
        ("propnullns", _storing(_set("nonamespace", "randomvalue", ""), expect={"nonamespace": "randomvalue"})),
        ("propget", propget),
        ("prophighunicode", _storing(_set("high-unicode", "&#65536;"), expect={f"{{{NS}}}high-unicode": "\U00010000"})),
        ("propget", propget),
        ("propremoveset", _storing(_remove("removeset"), _set("removeset", "x"), expect={f"{{{NS}}}removeset": "x"})),
        ("propget", propget),
        ("propsetremove", _storing(_set("removeset", "y"), _remove("removeset"), expect={f"{{{NS}}}removeset": None})),
        ("propget", propget),
        ("propvalnspace", propvalnspace),
        ("propwformed", propwformed),
        ("propinit", propinit),
        (
            "propmanyns",
            _storing(*(_set("somename", "manynsvalue", f"{NS}{number}") for number in _ALL), expect=dict(_many)),
        ),
        ("propget", propget),
        ("propcleanup", propcleanup),
    ]
)
