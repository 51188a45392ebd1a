"""What every driver must do that can tell changes (`Tracks`). A driver's author subclasses `TrackingContract`."""

from __future__ import annotations

import pytest

from davbridge.drivers.protocol import Driver, Item, Tracks
from davbridge.errors import NotFound, StaleToken, Unsupported
from davbridge.paths import DavPath
from tests.contract.places import p, put

State = dict[str, tuple[str, str, bool]]


class Follower:
    """A client that keeps what is in one folder, by what it is told and by nothing else."""

    def __init__(self, driver: Driver, path: str = "/", *, deep: bool = True, limit: int | None = None) -> None:
        assert isinstance(driver, Tracks)
        self.driver: Tracks = driver
        self.path, self.deep, self.limit = p(path), deep, limit
        self.state: State = {}
        self.token = ""
        self.told: list[str] = []

    def step(self) -> bool:
        """Ask once; True when there is more."""
        try:
            changes = self.driver.changes(self.path, self.token, deep=self.deep, limit=self.limit)
        except StaleToken:
            assert self.token, "a first enumeration needs no token"
            self.state, self.token = {}, ""
            return True
        assert self.limit is None or len(changes.changes) <= self.limit
        for change in changes.changes:
            path = str(change.path)
            self.told.append(path if change.item else f"-{path}")
            if change.item is None or not change.item.is_folder:
                self.state = {key: state for key, state in self.state.items() if not f"{key}/".startswith(f"{path}/")}
            if change.item is not None:
                self.state[path] = _state(change.item)
        self.token = changes.token
        assert self.token.replace("-", "").isalnum()
        return changes.more

    def follow(self) -> list[str]:
        """Ask until there is no more; the paths that were told, removed ones with a minus."""
        self.told = []
        for _ in range(200):
            if not self.step():
                return sorted(self.told)
        raise AssertionError("it never ends")


def _state(item: Item) -> tuple[str, str, bool]:
    return (item.id, item.etag, item.is_folder)


def present(driver: Driver, path: str = "/", *, deep: bool = True) -> State:
    """What a follower of the folder should have."""
    found: State = {}
    for item in list(driver.children(p(path))[1]):
        below = f"{path.rstrip('/')}/{item.name}"
        found[below] = _state(item)
        if deep and item.is_folder:
            found |= present(driver, below)
    return found


def tree(driver: Driver) -> None:
    """/d/e/a, /d/b and /c."""
    driver.make_folder(p("/d"))
    driver.make_folder(p("/d/e"))
    put(driver, "/d/e/a")
    put(driver, "/d/b")
    put(driver, "/c")


class TrackingContract:
    """Subclasses give a fixture `driver` over an empty tree that is being watched."""

    @pytest.mark.parametrize("limit", [None, 1, 2])
    def test_first_enumeration(self, driver: Driver, limit: int | None) -> None:
        """Without a token everything is told, each path once, however it is cut."""
        tree(driver)
        follower = Follower(driver, limit=limit)
        assert follower.follow() == ["/c", "/d", "/d/b", "/d/e", "/d/e/a"]
        assert follower.state == present(driver)

    def test_nothing_new(self, driver: Driver) -> None:
        """Where nothing has happened nothing is told, and the present token says the same."""
        tree(driver)
        assert isinstance(driver, Tracks)
        follower = Follower(driver)
        follower.token = driver.sync_token()
        assert follower.follow() == []
        follower.follow()
        assert follower.told == []

    @pytest.mark.parametrize("limit", [None, 1, 2])
    def test_changes(self, driver: Driver, limit: int | None) -> None:
        """New, changed and deleted files, and nothing else but folders that changed with them."""
        tree(driver)
        follower = Follower(driver, limit=limit)
        follower.follow()
        put(driver, "/d/e/new")
        put(driver, "/d/b", b"changed")
        driver.delete(p("/c"))
        told = set(follower.follow())
        assert {"/d/e/new", "/d/b", "-/c"} <= told <= {"/d/e/new", "/d/b", "-/c", "/d", "/d/e"}
        assert follower.state == present(driver)

    def test_level_one(self, driver: Driver) -> None:
        """Of a folder's own children only."""
        tree(driver)
        follower = Follower(driver, "/d", deep=False)
        assert follower.follow() == ["/d/b", "/d/e"]
        put(driver, "/d/e/deep")
        put(driver, "/d/near")
        put(driver, "/outside")
        assert {"/d/near"} <= set(follower.follow()) <= {"/d/near", "/d/e"}

    @pytest.mark.parametrize("limit", [None, 1, 2])
    def test_moved_folder(self, driver: Driver, limit: int | None) -> None:
        """Its old path is gone, and everything below is told at the new one."""
        tree(driver)
        follower = Follower(driver, limit=limit)
        follower.follow()
        driver.move(p("/d"), p("/moved"), replace=False)
        assert follower.follow() == ["-/d", "/moved", "/moved/b", "/moved/e", "/moved/e/a"]
        assert follower.state == present(driver)

    def test_into_and_out_of_a_folder(self, driver: Driver) -> None:
        """For who looks at one folder, what moves in is new and what moves out is gone."""
        tree(driver)
        follower = Follower(driver, "/d")
        follower.follow()
        driver.move(p("/d/e"), p("/e"), replace=False)
        driver.move(p("/c"), p("/d/c"), replace=False)
        assert {"-/d/e", "/d/c"} == set(follower.follow())
        assert follower.state == present(driver, "/d")

    @pytest.mark.parametrize("limit", [None, 1])
    def test_replaced(self, driver: Driver, limit: int | None) -> None:
        """A path that was left and taken again holds what is there now, and nothing of what was."""
        tree(driver)
        follower = Follower(driver, limit=limit)
        follower.follow()
        driver.delete(p("/d"))
        driver.make_folder(p("/d"))
        put(driver, "/d/other")
        driver.move(p("/d/other"), p("/c"), replace=True)
        driver.make_folder(p("/x"))
        driver.move(p("/x"), p("/X"), replace=False)
        follower.follow()
        assert follower.state == present(driver)

    def test_tokens_that_lead_nowhere(self, driver: Driver) -> None:
        """Another's token, or nonsense, is stale: start over."""
        assert isinstance(driver, Tracks)
        for token in ("nonsense", "0-0", "1", "x" * 500):
            with pytest.raises(StaleToken):
                driver.changes(p("/"), token, deep=True)

    def test_only_folders(self, driver: Driver) -> None:
        """A file has no members, and what is not there has none either."""
        put(driver, "/a")
        assert isinstance(driver, Tracks)
        with pytest.raises(Unsupported):
            driver.changes(p("/a"), "", deep=True)
        with pytest.raises(NotFound):
            driver.changes(DavPath(("none",)), "", deep=True)
