"""What every driver must do: `protocol.py` as tests. A driver's author subclasses `DriverContract`."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from davbridge.body import Body
from davbridge.drivers.protocol import Driver, Kind, Span, Times
from davbridge.errors import (
    AlreadyExists,
    BodyTruncated,
    NameRefused,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    Unsupported,
)
from tests.contract.places import body, names, p, put, read, tree

WHEN = datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)
BEFORE = datetime(2011, 1, 1, tzinfo=UTC)
LARGE = bytes(range(256)) * 20_000  # 5 MB: more than one request takes


class DriverContract:
    """Subclasses give a fixture `driver` over an empty tree."""

    def test_root_is_an_empty_folder(self, driver: Driver) -> None:
        """The root is there, is a folder without a name, and holds nothing."""
        root, children = driver.children(p("/"))
        assert (root.kind, root.name, list(children)) == (Kind.FOLDER, "", [])
        assert driver.stat(p("/")).is_folder

    def test_put_then_read(self, driver: Driver) -> None:
        """What was put is described and read back."""
        written = put(driver, "/a.txt", b"hello")
        assert written.created
        found = driver.stat(p("/a.txt"))
        assert (found.id, found.etag, found.size, found.kind) == (written.item.id, written.item.etag, 5, Kind.FILE)
        assert found.content_type == "text/plain"
        assert read(driver, "/a.txt") == b"hello"
        assert found.etag.replace("-", "").isalnum()

    def test_put_replaces_and_keeps_the_id(self, driver: Driver) -> None:
        """A second put makes a new version of the same item."""
        first = put(driver, "/a.txt", b"one").item
        second = put(driver, "/a.txt", b"two!")
        assert (second.created, second.item.id) == (False, first.id)
        assert second.item.etag != first.etag
        assert read(driver, "/a.txt") == b"two!"

    @pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "byte", "large"])
    @pytest.mark.parametrize("times", [None, Times(WHEN, BEFORE)], ids=["now", "times"])
    def test_put_sizes_and_times(self, driver: Driver, data: bytes, times: Times | None) -> None:
        """Every size is stored whole, with the client's times when it gave some."""
        item = put(driver, "/f.bin", data, times=times).item
        assert read(driver, "/f.bin") == data
        if times:
            assert (item.modified, item.created) == (WHEN, BEFORE)
            assert driver.stat(p("/f.bin")).modified == WHEN

    def test_put_without_parent(self, driver: Driver) -> None:
        """A missing folder is not made on the way."""
        with pytest.raises(ParentNotFound):
            put(driver, "/no/such/a.txt")
        with pytest.raises(NotFound):
            driver.stat(p("/no"))

    def test_put_below_a_file(self, driver: Driver) -> None:
        """A file cannot hold another."""
        put(driver, "/a.txt")
        with pytest.raises(ParentNotFound):
            put(driver, "/a.txt/b.txt")

    def test_put_onto_a_folder(self, driver: Driver) -> None:
        """A folder has no content."""
        driver.make_folder(p("/d"))
        with pytest.raises(Unsupported):
            put(driver, "/d")
        assert driver.stat(p("/d")).is_folder

    def test_put_if_absent(self, driver: Driver) -> None:
        """`if_absent` creates, and never replaces."""
        assert put(driver, "/a.txt", b"1", if_absent=True).created
        with pytest.raises(PreconditionFailed):
            put(driver, "/a.txt", b"2", if_absent=True)
        assert read(driver, "/a.txt") == b"1"

    @pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
    def test_put_if_match(self, driver: Driver, data: bytes) -> None:
        """`if_match` replaces the version that was named and no other."""
        etag = put(driver, "/a.txt", b"1").item.etag
        newer = put(driver, "/a.txt", data, if_match=etag).item.etag
        with pytest.raises(PreconditionFailed):
            put(driver, "/a.txt", data[::-1], if_match=etag)
        assert read(driver, "/a.txt") == data
        assert put(driver, "/a.txt", b"3", if_match="*").item.etag != newer
        for condition in ("*", etag):
            with pytest.raises(PreconditionFailed):
                put(driver, "/b.txt", b"1", if_match=condition)

    def test_metadata_change_keeps_the_etag(self, driver: Driver) -> None:
        """Renaming and setting times are no change of content."""
        etag = put(driver, "/a.txt").item.etag
        driver.set_times(p("/a.txt"), Times(WHEN))
        driver.move(p("/a.txt"), p("/b.txt"), replace=False)
        assert driver.stat(p("/b.txt")).etag == etag
        put(driver, "/b.txt", b"new", if_match=etag)

    def test_truncated_body(self, driver: Driver) -> None:
        """A body that ends early leaves the old content."""
        put(driver, "/a.txt", b"old")
        with pytest.raises(BodyTruncated):
            driver.put(p("/a.txt"), Body(io.BytesIO(b"new"), 10))
        with pytest.raises(BodyTruncated):
            driver.put(p("/a.txt"), Body(io.BytesIO(LARGE), len(LARGE) + 1))
        assert read(driver, "/a.txt") == b"old"

    @pytest.mark.parametrize("name", ["a:b", "x.", "con", 'q"', "~$x.docx", "n" * 300])
    def test_refused_names(self, driver: Driver, name: str) -> None:
        """Names that OneDrive cannot store are refused by everything that makes one."""
        put(driver, "/a.txt")
        path = p("/").child(name)
        with pytest.raises(NameRefused):
            driver.put(path, body(b"x"))
        with pytest.raises(NameRefused):
            driver.make_folder(path)
        with pytest.raises(NameRefused):
            driver.move(p("/a.txt"), path, replace=True)
        with pytest.raises(NameRefused):
            driver.copy(p("/a.txt"), path, replace=True)
        assert names(driver, "/") == {"a.txt"}

    @pytest.mark.parametrize("name", ["a b.txt", "50% #1 +x & y;.txt", "ünï.txt", "😀.txt", "it's [x]{y}^`.txt"])
    def test_odd_names(self, driver: Driver, name: str) -> None:
        """Every storable name comes back as it was."""
        driver.make_folder(p("/d"))
        driver.put(p("/d").child(name), body(b"x"))
        assert names(driver, "/d") == {name}
        assert read(driver, f"/d/{name}") == b"x"

    def test_names_fold(self, driver: Driver) -> None:
        """Case and Unicode form do not make another name."""
        driver.make_folder(p("/Ünïon"))
        written = put(driver, "/Ünïon/Café.txt", b"1").item
        other = "/u\u0308NI\u0308ON/CAFE\u0301.TXT"
        assert driver.stat(p(other)).id == written.id
        assert not put(driver, other, b"2").created
        assert driver.stat(p(other)).name == "Café.txt"
        assert read(driver, "/Ünïon/Café.txt") == b"2"

    def test_ranges(self, driver: Driver) -> None:
        """A range carries its own offsets and lengths."""
        put(driver, "/a.bin", b"0123456789")
        for span, data in [(Span(2, 5), b"234"), (Span(7), b"789"), (Span(0, 1), b"0"), (Span(8, 100), b"89")]:
            with driver.open(p("/a.bin"), span) as download:
                assert (download.start, download.length, download.total) == (span.start, len(data), 10)
                assert b"".join(iter(lambda: download.read(2), b"")) == data
        with pytest.raises(RangeNotSatisfiable) as caught:
            driver.open(p("/a.bin"), Span(10))
        assert caught.value.size == 10

    def test_open_if_match(self, driver: Driver) -> None:
        """A download can be bound to a version."""
        etag = put(driver, "/a.bin", b"1").item.etag
        with driver.open(p("/a.bin"), if_match=etag) as download:
            assert download.item.etag == etag
        put(driver, "/a.bin", b"2")
        with pytest.raises(PreconditionFailed):
            driver.open(p("/a.bin"), if_match=etag)

    def test_open_what_has_no_content(self, driver: Driver) -> None:
        """Folders and absent items cannot be read."""
        driver.make_folder(p("/d"))
        with pytest.raises(Unsupported):
            driver.open(p("/d"))
        with pytest.raises(Unsupported):
            driver.redirect_url(p("/d"))
        with pytest.raises(NotFound):
            driver.open(p("/none"))

    def test_redirect_url_is_secret(self, driver: Driver) -> None:
        """The pre-authenticated URL does not print itself."""
        put(driver, "/a.txt")
        url = driver.redirect_url(p("/a.txt"))
        assert url.reveal().startswith("https://")
        assert "https" not in str(url)

    def test_children(self, driver: Driver) -> None:
        """A folder tells of itself and of all its children, and follows every change."""
        folder = driver.make_folder(p("/d"))
        driver.make_folder(p("/d/sub"))
        put(driver, "/d/a.txt")
        itself, children = driver.children(p("/d"))
        assert itself.id == folder.id
        assert {(child.name, child.kind) for child in children} == {("sub", Kind.FOLDER), ("a.txt", Kind.FILE)}
        put(driver, "/d/b.txt")
        driver.delete(p("/d/a.txt"))
        driver.move(p("/d/b.txt"), p("/d/c.txt"), replace=False)
        assert names(driver, "/d") == {"sub", "c.txt"}
        with pytest.raises(Unsupported):
            driver.children(p("/d/c.txt"))
        with pytest.raises(NotFound):
            driver.children(p("/none"))

    def test_make_folder_refusals(self, driver: Driver) -> None:
        """Only a new name below an existing folder makes a folder."""
        driver.make_folder(p("/d"))
        put(driver, "/a.txt")
        for path, error in [
            ("/d", AlreadyExists),
            ("/D", AlreadyExists),
            ("/a.txt", AlreadyExists),
            ("/", AlreadyExists),
        ]:
            with pytest.raises(error):
                driver.make_folder(p(path))
        for path in ("/x/y", "/a.txt/y"):
            with pytest.raises(ParentNotFound):
                driver.make_folder(p(path))

    def test_rename_keeps_id_and_times(self, driver: Driver) -> None:
        """A rename and a move change the place and nothing else."""
        driver.make_folder(p("/d"))
        item = put(driver, "/a.txt", times=Times(WHEN)).item
        assert driver.move(p("/a.txt"), p("/b.txt"), replace=False).created
        moved = driver.move(p("/b.txt"), p("/d/c.txt"), replace=False)
        assert (moved.item.id, moved.item.name, moved.item.modified) == (item.id, "c.txt", WHEN)
        assert tree(driver) == {"/d": None, "/d/c.txt": b"content"}
        driver.move(p("/d/c.txt"), p("/a.txt"), replace=False)
        assert tree(driver) == {"/d": None, "/a.txt": b"content"}

    def test_case_only_rename(self, driver: Driver) -> None:
        """Another spelling of the same name is a rename, for files and folders, with and without `replace`."""
        item = put(driver, "/a.txt").item
        folder = driver.make_folder(p("/d"))
        assert driver.move(p("/a.txt"), p("/A.TXT"), replace=False).item.id == item.id
        assert driver.move(p("/d"), p("/D"), replace=True).item.id == folder.id
        assert names(driver, "/") == {"A.TXT", "D"}
        assert read(driver, "/a.txt") == b"content"

    def test_move_onto_itself(self, driver: Driver) -> None:
        """Nothing happens."""
        item = put(driver, "/a.txt").item
        assert driver.move(p("/a.txt"), p("/a.txt"), replace=True).item.id == item.id
        assert tree(driver) == {"/a.txt": b"content"}

    @pytest.mark.parametrize("old", ["file", "folder"])
    @pytest.mark.parametrize("new", ["file", "folder"])
    def test_move_onto(self, driver: Driver, new: str, old: str) -> None:
        """What stands at the target is replaced when that is wanted, and kept otherwise."""
        for name, kind in (("/new", new), ("/old", old)):
            if kind == "folder":
                driver.make_folder(p(name))
                put(driver, f"{name}/in{name[1:]}.txt")
            else:
                put(driver, name, name.encode())
        before = tree(driver)
        with pytest.raises(AlreadyExists):
            driver.move(p("/new"), p("/old"), replace=False)
        assert tree(driver) == before
        assert not driver.move(p("/new"), p("/old"), replace=True).created
        assert tree(driver) == ({"/old": b"/new"} if new == "file" else {"/old": None, "/old/innew.txt": b"content"})

    def test_move_refusals(self, driver: Driver) -> None:
        """Moves that cannot be leave everything in place."""
        driver.make_folder(p("/d"))
        put(driver, "/d/a.txt")
        before = tree(driver)
        cases = [
            ("/none", "/x", NotFound),
            ("/d/a.txt", "/none/a.txt", ParentNotFound),
            ("/d", "/d/sub", Unsupported),
            ("/d/a.txt", "/d", Unsupported),
            ("/", "/x", Unsupported),
            ("/d", "/", Unsupported),
        ]
        for operation in (driver.move, driver.copy):
            for source, target, error in cases:
                with pytest.raises(error):
                    operation(p(source), p(target), replace=True)
        assert tree(driver) == before

    def test_move_tree(self, driver: Driver) -> None:
        """A folder goes with all below it, and can be used at once under its new path only."""
        driver.make_folder(p("/d"))
        driver.make_folder(p("/d/e"))
        inner = put(driver, "/d/e/a.txt", b"1").item
        assert names(driver, "/d/e") == {"a.txt"}
        driver.make_folder(p("/z"))
        driver.move(p("/d"), p("/z/y"), replace=False)
        assert driver.stat(p("/z/y/e/a.txt")).id == inner.id
        with pytest.raises(NotFound):
            driver.stat(p("/d/e/a.txt"))
        put(driver, "/z/y/e/b.txt", b"2")
        assert tree(driver) == {
            "/z": None,
            "/z/y": None,
            "/z/y/e": None,
            "/z/y/e/a.txt": b"1",
            "/z/y/e/b.txt": b"2",
        }

    def test_safe_save(self, driver: Driver) -> None:
        """A file just uploaded and moved over an older one becomes its new version: the id stays."""
        original = put(driver, "/report.txt", b"old").item
        put(driver, "/report.txt.tmp", b"the new text", times=Times(WHEN))
        saved = driver.move(p("/report.txt.tmp"), p("/report.txt"), replace=True)
        assert (saved.created, saved.item.id, saved.item.modified) == (False, original.id, WHEN)
        assert saved.item.etag != original.etag
        assert tree(driver) == {"/report.txt": b"the new text"}

    @pytest.mark.parametrize("data", [b"", LARGE], ids=["empty", "large"])
    def test_safe_save_sizes(self, driver: Driver, data: bytes) -> None:
        """Also an empty and a large file keep the target's id."""
        original = put(driver, "/a.bin", b"old").item
        put(driver, "/b.bin", data)
        assert driver.move(p("/b.bin"), p("/a.bin"), replace=True).item.id == original.id
        assert tree(driver) == {"/a.bin": data}

    def test_copy_file(self, driver: Driver) -> None:
        """A copy is another item with the same content."""
        driver.make_folder(p("/d"))
        item = put(driver, "/a.txt").item
        assert driver.copy(p("/a.txt"), p("/d/b.txt"), replace=False).created
        assert driver.stat(p("/d/b.txt")).id != item.id
        put(driver, "/a.txt", b"changed")
        assert tree(driver) == {"/a.txt": b"changed", "/d": None, "/d/b.txt": b"content"}

    @pytest.mark.parametrize("old", ["file", "folder"])
    @pytest.mark.parametrize("new", ["file", "folder"])
    def test_copy_onto(self, driver: Driver, new: str, old: str) -> None:
        """What stands at the target is replaced as a whole when that is wanted."""
        for name, kind in (("/new", new), ("/old", old)):
            if kind == "folder":
                driver.make_folder(p(name))
                put(driver, f"{name}/in{name[1:]}.txt")
            else:
                put(driver, name, name.encode())
        before = tree(driver)
        with pytest.raises(AlreadyExists):
            driver.copy(p("/new"), p("/old"), replace=False)
        assert tree(driver) == before
        assert not driver.copy(p("/new"), p("/old"), replace=True).created
        copied = {path: data for path, data in before.items() if path.startswith("/new")}
        assert tree(driver) == copied | {path.replace("/new", "/old", 1): data for path, data in copied.items()}

    def test_copy_tree(self, driver: Driver) -> None:
        """A deep copy takes everything along, a shallow one only the folder."""
        driver.make_folder(p("/d"))
        driver.make_folder(p("/d/e"))
        put(driver, "/d/e/a.txt")
        driver.copy(p("/d"), p("/deep"), replace=False)
        driver.copy(p("/d"), p("/flat"), replace=False, deep=False)
        below = {path: data for path, data in tree(driver).items() if not path.startswith("/d/")}
        assert below == {"/d": None, "/deep": None, "/deep/e": None, "/deep/e/a.txt": b"content", "/flat": None}

    def test_copy_onto_itself(self, driver: Driver) -> None:
        """An item cannot be copied onto itself, in whatever spelling."""
        put(driver, "/a.txt")
        for target in ("/a.txt", "/A.txt"):
            with pytest.raises(Unsupported):
                driver.copy(p("/a.txt"), p(target), replace=True)
        assert tree(driver) == {"/a.txt": b"content"}

    def test_delete(self, driver: Driver) -> None:
        """Files and whole trees go; what is gone cannot be deleted again."""
        driver.make_folder(p("/d"))
        put(driver, "/d/a.txt")
        put(driver, "/b.txt")
        driver.delete(p("/d"))
        driver.delete(p("/b.txt"))
        assert tree(driver) == {}
        for path in ("/d", "/d/a.txt", "/b.txt", "/never"):
            with pytest.raises(NotFound):
                driver.delete(p(path))
        with pytest.raises(Unsupported):
            driver.delete(p("/"))

    def test_delete_if_match(self, driver: Driver) -> None:
        """Only the version that was named is deleted."""
        etag = put(driver, "/a.txt", b"1").item.etag
        newer = put(driver, "/a.txt", b"2").item.etag
        with pytest.raises(PreconditionFailed):
            driver.delete(p("/a.txt"), if_match=etag)
        driver.delete(p("/a.txt"), if_match=newer)
        assert tree(driver) == {}

    def test_made_again(self, driver: Driver) -> None:
        """A deleted name can be used again at once, as another item."""
        first = put(driver, "/a", b"1").item
        driver.delete(p("/a"))
        assert driver.make_folder(p("/a")).id != first.id
        put(driver, "/a/b", b"2")
        assert tree(driver) == {"/a": None, "/a/b": b"2"}

    def test_set_times(self, driver: Driver) -> None:
        """Each time is set by itself."""
        put(driver, "/a.txt")
        driver.set_times(p("/a.txt"), Times(modified=WHEN))
        item = driver.set_times(p("/a.txt"), Times(created=BEFORE))
        assert (item.modified, item.created) == (WHEN, BEFORE)
        with pytest.raises(NotFound):
            driver.set_times(p("/none"), Times(WHEN))

    def test_quota(self, driver: Driver) -> None:
        """Quota is told in bytes."""
        quota = driver.quota()
        assert quota is not None
        assert quota.used >= 0
        assert quota.available > 0
