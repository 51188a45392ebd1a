"""What every driver must do that can search (`Searches`). A driver's author subclasses `SearchingContract`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from davbridge.drivers.protocol import Driver, Searches, Times
from davbridge.errors import NotFound, Unsupported
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
from tests.contract.places import p, put

OLD = datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)
SMALL = Compare(Field.SIZE, Operator.LESS, 3)
CASES: list[tuple[Condition | None, set[str]]] = [
    (None, {"/d", "/d/A.txt", "/d/e", "/d/e/b.TXT", "/c%_.bin"}),
    (Compare(Field.NAME, Operator.EQUAL, "a.TXT"), {"/d/A.txt"}),
    (Compare(Field.NAME, Operator.EQUAL, "a.TXT", caseless=False), set()),
    (Like(Field.NAME, (Wildcard.MANY, ".txt")), {"/d/A.txt", "/d/e/b.TXT"}),
    (Like(Field.NAME, (Wildcard.MANY, ".txt"), caseless=False), {"/d/A.txt"}),
    (Like(Field.NAME, ("c%_", Wildcard.MANY)), {"/c%_.bin"}),
    (Like(Field.NAME, (Wildcard.ONE,)), {"/d", "/d/e"}),
    (IsFolder(), {"/d", "/d/e"}),
    (Defined(Field.SIZE), {"/d/A.txt", "/d/e/b.TXT", "/c%_.bin"}),
    (SMALL, {"/d/A.txt"}),
    (Neither(SMALL), {"/d/e/b.TXT", "/c%_.bin"}),
    (Either((SMALL, IsFolder())), {"/d", "/d/e", "/d/A.txt"}),
    (Both((Neither(IsFolder()), Compare(Field.SIZE, Operator.AT_LEAST, 5))), {"/c%_.bin"}),
    (Compare(Field.MODIFIED, Operator.AT_MOST, int(OLD.timestamp())), {"/c%_.bin"}),
    (Compare(Field.TYPE, Operator.EQUAL, "text/PLAIN"), {"/d/A.txt", "/d/e/b.TXT"}),
    (Compare(Field.TYPE, Operator.EQUAL, "httpd/unix-directory"), {"/d", "/d/e"}),
]


def found(driver: Driver, path: str, query: Query, *, deep: bool = True) -> list[str]:
    """The paths, in the order in which they come."""
    assert isinstance(driver, Searches)
    return [str(where) for where, _ in driver.search(p(path), query, deep=deep)]


class SearchingContract:
    """Subclasses give a fixture `driver` over an empty tree that is being watched."""

    @pytest.fixture
    def full(self, driver: Driver) -> Driver:
        """The driver over a small tree."""
        driver.make_folder(p("/d"))
        driver.make_folder(p("/d/e"))
        put(driver, "/d/A.txt", b"1")
        put(driver, "/d/e/b.TXT", b"1234")
        put(driver, "/c%_.bin", b"12345", times=Times(OLD))
        return driver

    @pytest.mark.parametrize(("condition", "paths"), CASES, ids=[str(number) for number in range(len(CASES))])
    def test_conditions(self, full: Driver, condition: Condition | None, paths: set[str]) -> None:
        """Each kind of condition finds what it should."""
        assert set(found(full, "/", Query(condition))) == paths

    def test_scopes(self, full: Driver) -> None:
        """The tree below a folder or its children, never the folder itself; paths are whole."""
        assert set(found(full, "/d", Query())) == {"/d/A.txt", "/d/e", "/d/e/b.TXT"}
        assert set(found(full, "/d", Query(), deep=False)) == {"/d/A.txt", "/d/e"}

    def test_orders_and_limits(self, full: Driver) -> None:
        """The first in the order; what has no value comes before all that has."""
        sizes = Query(order=(Order(Field.SIZE), Order(Field.NAME)))
        assert found(full, "/", sizes) == ["/d", "/d/e", "/d/A.txt", "/d/e/b.TXT", "/c%_.bin"]
        largest = Query(order=(Order(Field.SIZE, descending=True),), limit=2)
        assert found(full, "/", largest) == ["/c%_.bin", "/d/e/b.TXT"]
        names = Query(Neither(IsFolder()), order=(Order(Field.NAME, caseless=False),))
        assert found(full, "/", names) == ["/d/A.txt", "/d/e/b.TXT", "/c%_.bin"]

    def test_items_are_as_stat_tells_them(self, full: Driver) -> None:
        """What is found is described as everywhere else."""
        assert isinstance(full, Searches)
        for path, item in full.search(p("/"), Query(), deep=True):
            assert (item.id, item.etag, item.size) == (
                full.stat(path).id,
                full.stat(path).etag,
                full.stat(path).size,
            )

    def test_only_folders(self, full: Driver) -> None:
        """A file has no members, and what is not there has none either."""
        with pytest.raises(Unsupported):
            found(full, "/d/A.txt", Query())
        with pytest.raises(NotFound):
            found(full, "/none", Query())
