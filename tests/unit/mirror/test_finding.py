"""Search in the mirror: what SQL finds is what Python would find."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davbridge.drivers.matching import select
from davbridge.drivers.protocol import Item, Kind
from davbridge.mirror.finding import find
from davbridge.paths import ROOT, DavPath
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
from davbridge.store.database import Row
from tests.unit.mirror.smallmirror import DRIVE, TOP, SmallMirror

TEXTS = st.text(alphabet="aAbäÄ\u0308ßẞ%_\\*?[]-^ '", min_size=1, max_size=4)
NUMBERS = st.integers(0, 3)
TEXT_FIELDS, NUMBER_FIELDS = (
    st.sampled_from([Field.NAME, Field.TYPE]),
    st.sampled_from([Field.SIZE, Field.MODIFIED, Field.CREATED]),
)
LITERALS = TEXTS | st.sampled_from(["text/plain", "TEXT/plain", "httpd/unix-directory", "application/octet-stream"])
OPERATORS = st.sampled_from(list(Operator))
PATTERNS = st.lists(TEXTS | st.sampled_from(list(Wildcard)), max_size=4).map(tuple)
LEAVES = (
    st.builds(Compare, TEXT_FIELDS, OPERATORS, LITERALS, st.booleans())
    | st.builds(Compare, NUMBER_FIELDS, OPERATORS, NUMBERS)
    | st.builds(Like, TEXT_FIELDS, PATTERNS, st.booleans())
    | st.builds(Defined, st.sampled_from(list(Field)))
    | st.just(IsFolder())
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Neither, inner)
        | st.builds(Both, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Either, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
ORDERS = st.lists(st.builds(Order, st.sampled_from(list(Field)), st.booleans(), st.booleans()), max_size=2).map(tuple)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[SmallMirror]:
    """An empty drive."""
    mirror = SmallMirror(tmp_path)
    yield mirror
    mirror.database.close()


def as_item(row: Row) -> Item:
    """A row as DAV would show it."""
    moments = [datetime.fromtimestamp(row[name], UTC) for name in ("created", "modified")]
    return Item(row["id"], row["name"], Kind(row["kind"]), row["size"], "", moments[0], moments[1], row["mime"])


def below(mirror: SmallMirror, folder: str, where: DavPath, *, deep: bool) -> Iterator[tuple[DavPath, Item]]:
    """All that is in a folder."""
    for row in mirror.children(folder):
        yield where.child(row["name"]), as_item(row)
        if deep and row["kind"] == "folder":
            yield from below(mirror, row["id"], where.child(row["name"]), deep=True)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_queries(data: st.DataObject) -> None:
    """Random trees, conditions, orders and limits."""
    with tempfile.TemporaryDirectory() as folder:
        mirror = SmallMirror(Path(folder))
        for _ in range(data.draw(st.integers(0, 8))):
            above = data.draw(st.sampled_from([TOP, *mirror.ids("folder")]))
            name, kind = data.draw(TEXTS), data.draw(st.sampled_from(["file", "file", "folder", "package"]))
            mime = data.draw(st.sampled_from(["", "text/plain", "Text/HTML"])) if kind == "file" else ""
            numbers = {column: data.draw(NUMBERS) for column in ("size", "created", "modified")}
            if mirror.named(above, name) is None:
                mirror.create(above, name, kind, mime=mime, **numbers)
        for _ in range(5):
            where, start = DavPath(("mount",)), data.draw(st.sampled_from([TOP, *mirror.ids("folder")]))
            deep, limit = data.draw(st.booleans()), data.draw(st.none() | st.integers(0, 4))
            query = Query(data.draw(st.none() | CONDITIONS), data.draw(ORDERS), limit)
            found = [(path, as_item(row)) for path, row in find(mirror.database, DRIVE, start, where, query, deep=deep)]
            whole = select(below(mirror, start, where, deep=deep), Query(query.where, query.order))
            assert len(found) == len(whole[:limit])
            assert len({path for path, _ in found}) == len(found)
            rest = [one for one in whole if one not in found]
            assert len(rest) + len(found) == len(whole)
            # sorting is stable: what comes out unchanged was in order already, and nothing else belongs before it
            assert select([*found, *rest], Query(order=query.order, limit=limit)) == found[:limit]
        mirror.database.close()


def test_shortcuts_and_notebooks_are_not_entered(mirror: SmallMirror) -> None:
    """They are found themselves; what is in them is not of this tree."""
    for name, kind, remote in (("book", "package", ""), ("link", "folder", "far-away"), ("odd", "other", "")):
        mirror.create(mirror.create(TOP, name, kind, remote_id=remote), "inside")
    found = find(mirror.database, DRIVE, TOP, ROOT, Query(), deep=True)
    assert sorted(str(path) for path, _ in found) == ["/book", "/link"]


def test_a_row_that_is_its_own_ancestor(mirror: SmallMirror) -> None:
    """A loop in the table, which delta may make for a moment, ends."""
    upper = mirror.create(TOP, "upper", "folder")
    lower = mirror.create(upper, "lower", "folder")
    with mirror.database.transaction() as transaction:
        transaction.execute("UPDATE items SET parent = ? WHERE id = ?", (lower, upper))
    assert len(list(find(mirror.database, DRIVE, lower, ROOT, Query(), deep=True))) < 1000
