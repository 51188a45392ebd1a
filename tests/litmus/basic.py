"""The suite `basic`: OPTIONS, PUT, GET, DELETE, MKCOL."""

from __future__ import annotations

from tests.litmus.harness import Fail, Session, whole

CONTENT = bytes(range(256)) * 20


def options(session: Session) -> None:
    """Class 1 at least."""
    classes = {part.strip() for part in session.succeed(session.dav.options(""), "OPTIONS").header("DAV").split(",")}
    if "1" not in classes:
        raise Fail("the server does not claim class 1")


def _put_get(session: Session, name: str) -> None:
    session.succeed(session.dav.put(name, CONTENT), "PUT")
    if session.succeed(session.dav.get(name), "GET").body != CONTENT:
        raise Fail("GET gives other bytes than PUT has stored")


def put_get(session: Session) -> None:
    """Bytes come back as they were."""
    _put_get(session, "res")


def put_get_utf8_segment(session: Session) -> None:
    """So they do under a name that is not ASCII."""
    _put_get(session, "res-%e2%82%ac")


def put_no_parent(session: Session) -> None:
    """409 without a parent."""
    session.refuse(session.dav.put("409me/noparent.txt", "x"), "PUT with missing parent", 409)


def mkcol_over_plain(session: Session) -> None:
    """No collection over a file."""
    session.refuse(session.dav.mkcol("res-%e2%82%ac"), "MKCOL on a plain resource")


def delete(session: Session) -> None:
    """A file can be deleted."""
    session.succeed(session.dav.delete("res-%e2%82%ac"), "DELETE")


def delete_null(session: Session) -> None:
    """404 for what is not there."""
    session.refuse(session.dav.delete("404me"), "DELETE of nothing", 404)


def delete_fragment(session: Session) -> None:
    """A fragment in the request target must not delete the collection."""
    session.succeed(session.dav.mkcol("frag/"), "MKCOL")
    session.dav.delete("frag/#ident")
    if session.dav.delete("frag/").status == 404:
        session.warn("DELETE with a fragment has removed the collection")


def mkcol(session: Session) -> None:
    """A collection."""
    session.succeed(session.dav.mkcol("coll/"), "MKCOL")


def mkcol_again(session: Session) -> None:
    """405 when it is there."""
    session.refuse(session.dav.mkcol("coll/"), "MKCOL on a collection", 405)


def delete_coll(session: Session) -> None:
    """A collection can be deleted."""
    session.succeed(session.dav.delete("coll/"), "DELETE of a collection")


def mkcol_no_parent(session: Session) -> None:
    """409 without a parent."""
    session.refuse(session.dav.mkcol("409me/noparent/"), "MKCOL with missing parent", 409)


def mkcol_with_body(session: Session) -> None:
    """415 for a body that nobody understands."""
    answer = session.dav.request("MKCOL", "mkcolbody", body="afafafaf", headers={"Content-Type": "xzy-foo/bar-512"})
    session.refuse(answer, "MKCOL with a body", 415)


SUITE = whole(
    [
        (function.__name__, function)
        for function in (
            options,
            put_get,
            put_get_utf8_segment,
            put_no_parent,
            mkcol_over_plain,
            delete,
            delete_null,
            delete_fragment,
            mkcol,
            mkcol_again,
            delete_coll,
            mkcol_no_parent,
            mkcol_with_body,
        )
    ]
)
