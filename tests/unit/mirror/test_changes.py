"""Changes since a token: whatever happens in a tree, a client that applies what it is told has the tree as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davbridge.errors import StaleToken
from davbridge.mirror.changes import Page, Question, changes, forget_removals
from davbridge.paths import ROOT, DavPath
from tests.unit.mirror.smallmirror import DRIVE, EPOCH, TOP, BookMirror, SmallMirror, View

NAMES = ["a", "A", "b", "é", "e\u0301", "c%_"]


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[SmallMirror]:
    """An empty drive."""
    mirror = SmallMirror(tmp_path)
    yield mirror
    mirror.database.close()


def ask(
    mirror: SmallMirror, since: str = "", folder: str = TOP, *, deep: bool = True, limit: int | None = None
) -> Page:
    """The changes below a folder, as paths below it."""
    mirror.tracked = True
    return changes(mirror.database, Question(DRIVE, folder, ROOT, since, mirror.epoch, mirror.now, deep, limit))


def told(page: Page) -> list[str]:
    """Paths of a page in order; a removed one with a minus."""
    return [("" if one.row else "-") + str(one.path) for one in page.told]


class Client:
    """Keeps a view of one folder up to date by what it is told, and by nothing else."""

    def __init__(self, mirror: SmallMirror, folder: str, *, deep: bool) -> None:
        self.mirror, self.folder, self.deep = mirror, folder, deep
        self.view: View = {}
        self.token = ""
        self.stale = 0

    def step(self, limit: int | None) -> bool:
        """Ask once; True when there is more."""
        try:
            page = ask(self.mirror, self.token, self.folder, deep=self.deep, limit=limit)
        except StaleToken:
            self.view, self.token, self.stale = {}, "", self.stale + 1
            return True
        assert limit is None or len(page.told) <= limit
        assert len({one.path for one in page.told}) == len(page.told), "a path is told once"
        for one in page.told:
            path = one.path.names
            if one.row is None or one.row["kind"] != "folder":
                self.view = {key: state for key, state in self.view.items() if key[: len(path)] != path}
            if one.row is not None:
                self.view[path] = (one.row["id"], one.row["etag"])
        self.token = page.token
        return page.more

    def finish(self, limit: int | None) -> None:
        """Ask until there is no more."""
        rounds = 0
        while self.step(limit):
            rounds += 1
            assert rounds < 500


class Story:
    """Random events, drawn from Hypothesis."""

    def __init__(self, mirror: SmallMirror, data: st.DataObject) -> None:
        self.mirror, self._data = mirror, data

    def _make_room(self, folder: str, name: str) -> None:
        """Delete what is in the way; or, where the mirror takes care of it, leave that to it."""
        there = self.mirror.named(folder, name)
        if there is not None and not (
            self.mirror.displaces and self.mirror.row(there)["name"] == name and self._data.draw(st.booleans())
        ):
            self.mirror.delete(there, each=self._data.draw(st.booleans()))

    def go_on(self, most: int) -> None:
        """Up to `most` events."""
        for _ in range(self._data.draw(st.integers(0, most))):
            self._event()

    def folder(self) -> str:
        """The top, or another folder."""
        return self._one([TOP, *self.mirror.ids("folder")])

    def _one(self, choices: list[str]) -> str:
        return choices[self._data.draw(st.integers(0, len(choices) - 1))]

    def _event(self) -> None:
        mirror, draw = self.mirror, self._data.draw
        items = mirror.ids()
        what = draw(st.sampled_from(["create", "create", "modify", "place", "place", "delete"]))
        if what == "create" or not items:
            folder, name = self.folder(), self._one(NAMES)
            self._make_room(folder, name)
            mirror.create(folder, name, draw(st.sampled_from(["file", "folder", "folder"])))
        elif what == "modify":
            mirror.modify(self._one(items))
        elif what == "delete":
            mirror.delete(self._one(items), each=draw(st.booleans()))
        else:
            item, folder, name = self._one(items), self.folder(), self._one(NAMES)
            there = mirror.named(folder, name)
            if mirror.within(folder, item) or (there is not None and mirror.within(item, there) and there != item):
                return
            if there != item:
                self._make_room(folder, name)
            mirror.place(item, folder, name)


@pytest.mark.parametrize("books", [SmallMirror, BookMirror])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_histories(data: st.DataObject, books: type[SmallMirror]) -> None:
    """Random trees and histories, any limit, both levels, changes between the pages: the view is the tree."""
    with tempfile.TemporaryDirectory() as folder:
        mirror = books(Path(folder))
        outer = mirror.create(TOP, "a", "folder")
        mirror.create(outer, "x")
        mirror.create(mirror.create(outer, "b", "folder"), "y")
        story = Story(mirror, data)
        story.go_on(6)
        mirror.tracked = True
        clients = [Client(mirror, TOP, deep=True), Client(mirror, TOP, deep=False)]
        clients += [Client(mirror, story.folder(), deep=deep) for deep in (True, False)]
        limits = st.sampled_from([None, 1, 2, 3])
        for _ in range(3):
            for client in clients:
                if not client.token or data.draw(st.booleans()):
                    client.step(data.draw(limits))
            story.go_on(6)
            for client in clients:
                if mirror.database.read("SELECT 1 FROM items WHERE id = ?", (client.folder,)):
                    client.finish(data.draw(limits))
                    assert client.view == mirror.view(client.folder, deep=client.deep)
        assert not any(client.stale for client in clients[:2]), "the top's tokens stay good"
        mirror.database.close()


def test_nothing_new(mirror: SmallMirror) -> None:
    """A token of now leads to no changes and to itself."""
    mirror.create(TOP, "a")
    token = ask(mirror).token
    again = ask(mirror, token)
    assert (told(again), again.token, again.more) == ([], token, False)


def test_a_first_enumeration_is_cut_anywhere(mirror: SmallMirror) -> None:
    """It finds what came before anybody kept `below`."""
    deep = mirror.create(mirror.create(TOP, "a", "folder"), "b", "folder")
    for n in range(3):
        mirror.create(deep, f"f{n}")
    client = Client(mirror, TOP, deep=True)
    client.finish(limit=1)
    assert client.view == mirror.view()


def test_a_moved_folder_is_cut_anywhere(mirror: SmallMirror) -> None:
    """5,000 items in one moved folder have one number, and a limit cuts amid them."""
    folder = mirror.create(TOP, "old", "folder")
    row = mirror.row(mirror.create(folder, "f0"))
    with mirror.database.transaction() as transaction:
        marks = ", ".join("?" * len(tuple(row)))
        transaction.executemany(
            f"INSERT INTO items VALUES ({marks})",
            [(DRIVE, f"F{n:05}", folder, f"f{n}", f"f{n}", *tuple(row)[5:]) for n in range(1, 5000)],
        )
    token = ask(mirror).token
    mirror.place(folder, TOP, "new")
    paths: list[str] = []
    more = True
    while more:
        page = ask(mirror, token, limit=700)
        paths += told(page)
        token, more = page.token, page.more
        mirror.modify(folder)  # what was told already stays told
    assert paths[0] == "-/old"
    assert {f"/new/f{n}" for n in range(5000)} <= set(paths)
    assert len([path for path in paths if path.startswith("/new/")]) == 5000


def test_a_folder_in_anothers_place(mirror: SmallMirror) -> None:
    """It is told to be gone first, and what has come with the next token: a path is told once in an answer."""
    old = mirror.create(TOP, "a", "folder")
    mirror.create(old, "only-in-old")
    token = ask(mirror).token
    mirror.delete(old)
    mirror.create(mirror.create(TOP, "a", "folder"), "only-in-new")
    first = ask(mirror, token)
    assert (told(first), first.more) == (["-/a"], True)
    assert told(ask(mirror, first.token)) == ["/a", "/a/only-in-new"]


def test_a_file_in_anothers_place(mirror: SmallMirror) -> None:
    """A safe-save by rename is one change of the path."""
    mirror.create(TOP, "a")
    token = ask(mirror).token
    mirror.delete(mirror.named(TOP, "a") or "")
    temporary = mirror.create(TOP, "a.tmp")
    mirror.place(temporary, TOP, "a")
    assert told(ask(mirror, token)) == ["-/a.tmp", "/a"]


def test_into_and_out_of_the_folder(mirror: SmallMirror) -> None:
    """Seen from a folder, what moves out of it is gone, what moves in is new, and the rest of the drive is silent."""
    folder = mirror.create(TOP, "mine", "folder")
    out, into = mirror.create(folder, "out"), mirror.create(TOP, "into")
    token = ask(mirror, folder=folder).token
    mirror.place(out, TOP, "out")
    mirror.place(into, folder, "into")
    mirror.delete(mirror.create(TOP, "elsewhere"))
    assert told(ask(mirror, token, folder)) == ["-/out", "/into"]


def test_paths_begin_with_the_folders_own(mirror: SmallMirror) -> None:
    """Answers are in the words of the question."""
    folder = mirror.create(TOP, "Mine", "folder")
    mirror.create(folder, "a")
    where = DavPath(("as", "asked"))
    page = changes(mirror.database, Question(DRIVE, folder, where, "", EPOCH, mirror.now, deep=True))
    assert told(page) == ["/as/asked/a"]


def test_shortcuts_and_notebooks_are_not_entered(mirror: SmallMirror) -> None:
    """They are told themselves; what is in them is not of this tree."""
    for name, kind, remote in (("book", "package", ""), ("link", "folder", "far-away"), ("odd", "other", "")):
        mirror.create(mirror.create(TOP, name, kind, remote_id=remote), "inside")
    assert told(ask(mirror)) == ["/book", "/link"]


def test_a_folder_that_has_come_since(mirror: SmallMirror) -> None:
    """A token from before a folder came to its path was another folder's: start over."""
    old = mirror.create(TOP, "a", "folder")
    token = ask(mirror, folder=old).token
    mirror.place(old, TOP, "b")
    with pytest.raises(StaleToken):
        ask(mirror, token, old)


@pytest.mark.parametrize("token", ["x", "7", "8-1", "7-99", "7-1-", "7-1-1-1-zz", "7-1-1-1-ff", "7-0-99-1-", "٣-1"])
def test_tokens_that_are_not_ours(mirror: SmallMirror, token: str) -> None:
    """Anything but a token of this file is stale."""
    with pytest.raises(StaleToken):
        ask(mirror, token)


@pytest.mark.parametrize("token", ["7-99", "7-99-1-1-", "7-1-99-1-", "8-1", "nonsense"])
def test_what_is_said_of_tokens_that_are_not_ours(mirror: SmallMirror, token: str) -> None:
    """They are unknown, also those from the future, and not too old."""
    mirror.create(TOP, "a")
    with pytest.raises(StaleToken, match="not known here"):
        ask(mirror, token)


def test_old_removals_are_forgotten(mirror: SmallMirror) -> None:
    """Tokens from before what is kept are stale; newer ones, and enumerations that begin now, are not."""
    first = ask(mirror).token
    for _ in range(5):
        mirror.delete(mirror.create(TOP, "a"))
    second = ask(mirror).token
    for _ in range(3):
        mirror.delete(mirror.create(TOP, "a"))
        mirror.create(TOP, f"b{mirror.now}")
    with mirror.database.transaction() as transaction:
        forget_removals(transaction, keep=4)
    with mirror.database.transaction() as transaction:
        forget_removals(transaction, keep=4)
    with pytest.raises(StaleToken, match="too old"):
        ask(mirror, first)
    assert told(ask(mirror, second))[0] == "-/a"
    page = ask(mirror, limit=1)
    assert page.more
    assert len(told(ask(mirror, page.token))) == 2


def test_books_while_enumerating_anew(tmp_path: Path) -> None:
    """After 410 the books go on: a token from before tells what happened meanwhile."""
    mirror = BookMirror(tmp_path)
    item = mirror.create(TOP, "a")
    token = ask(mirror).token
    with mirror.database.transaction() as transaction:
        transaction.execute("UPDATE sync SET link = '', next = 'page', phase = 'resync'")
    mirror.delete(item)
    assert told(changes(mirror.database, Question(DRIVE, TOP, ROOT, token, mirror.epoch, mirror.now, deep=True))) == [
        "-/a"
    ]
    mirror.database.close()
