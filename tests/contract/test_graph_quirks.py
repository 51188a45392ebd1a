"""What only a driver over Graph meets: lag, rewrites, lost answers, expired URLs, items changed by others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.graphdriver import QUOTA_SECONDS, GraphDriver
from davbridge.drivers.protocol import Kind, Span, Times
from davbridge.emulator import Emulator
from davbridge.emulator.faults import LoseAnswer, Reset, Status, WorkThen
from davbridge.errors import (
    BridgeError,
    Busy,
    DownloadBroken,
    Forbidden,
    Locked,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    UnknownOutcome,
    Unsupported,
)
from tests.contract.places import DRIVES, driver_of, graph_of, names, p, put, read

LARGE = bytes(range(256)) * 20_000


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still, so that retries do not wait."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def driver(emulator: Emulator, clock: ManualClock) -> Iterator[GraphDriver]:
    """A driver for a SharePoint library, with time in the test's hand."""
    with graph_of(emulator, clock) as graph:
        yield driver_of("sharepoint", emulator, graph)
    assert emulator.faults.pending == 0
    assert emulator.calls.leaks == []


def test_listing_lag(driver: GraphDriver, emulator: Emulator, clock: ManualClock) -> None:
    """A folder shows what we made in it, although Graph's listing does not yet."""
    emulator.quirks.listing_lag = 5
    driver.make_folder(p("/d"))
    put(driver, "/d/a.txt")
    assert names(driver, "/d") == {"a.txt"}
    clock.advance(20)
    assert names(driver, "/d") == {"a.txt"}
    assert names(driver, "/") == {"d"}


def test_deletion_lag_is_hidden(driver: GraphDriver, emulator: Emulator) -> None:
    """A listing that began before our deletion does not bring the item back."""
    drive = emulator.drive("documents")
    for number in range(3):
        drive.put(f"/d/{number}.txt", b"x")
    listing = iter(driver.children(p("/d"))[1])
    first = next(listing)
    driver.delete(p("/d").child(first.name))
    rest = {item.name for item in listing}
    assert first.name not in rest
    assert names(driver, "/d") == rest


def test_short_pages(driver: GraphDriver, emulator: Emulator) -> None:
    """An empty page with a nextLink is no end."""
    emulator.quirks.short_pages = True
    emulator.drive("documents").put("/d/a.txt", b"x")
    assert names(driver, "/d") == {"a.txt"}


def test_office_rewrite(driver: GraphDriver, emulator: Emulator, clock: ManualClock) -> None:
    """A file that the service rewrites is served whole in its new length, and is not uploaded again."""
    emulator.quirks.office_rewrite = True
    with emulator.calls.counting() as counted:
        put(driver, "/a.docx", b"sent")
    assert counted.graph == 1
    held = emulator.drive("documents").read("/a.docx")
    with driver.open(p("/a.docx")) as download:
        assert download.length == len(held)
        assert download.read(1 << 20) == held
        assert download.item.size == len(held)
    assert driver.stat(p("/a.docx")).size == len(held)
    assert driver.stat(p("/a.docx")).etag == download.item.etag


def test_session_404_on_replace(driver: GraphDriver, emulator: Emulator) -> None:
    """The odd 404 of a session on an existing Office file is overcome."""
    put(driver, "/a.docx", b"old")
    emulator.quirks.session_404_on_replace = True
    put(driver, "/a.docx", b"new", times=Times(datetime(2020, 1, 1, tzinfo=UTC)))
    assert read(driver, "/a.docx") == b"new"


@pytest.mark.parametrize("fault", [LoseAnswer(), WorkThen(504)], ids=["lost", "504"])
def test_put_whose_answer_is_lost(driver: GraphDriver, emulator: Emulator, fault: LoseAnswer) -> None:
    """A PUT that happened is recognised by its content, and made once."""
    put(driver, "/a.txt", b"old")
    emulator.faults.add("put content", fault)
    assert put(driver, "/a.txt", b"new").item.size == 3
    assert emulator.drive("documents").versions("/a.txt") == [b"old"]


def test_put_that_never_arrived(driver: GraphDriver, emulator: Emulator) -> None:
    """A PUT of which nothing happened is tried again."""
    emulator.faults.add("put content", Reset(after=1))
    assert put(driver, "/a.txt", b"new").created
    assert read(driver, "/a.txt") == b"new"


def test_put_of_unknown_outcome(driver: GraphDriver, emulator: Emulator) -> None:
    """When nobody can tell, the driver says so."""
    emulator.drive("documents").put("/a.txt", b"something else")
    emulator.faults.add("put content", Reset(after=1))
    with pytest.raises(UnknownOutcome):
        put(driver, "/a.txt", b"new")


@pytest.mark.parametrize("operation", ["move", "mkcol", "delete"])
@pytest.mark.parametrize("fault", [LoseAnswer(), WorkThen(504)], ids=["lost", "504"])
def test_change_whose_answer_is_lost(
    driver: GraphDriver, emulator: Emulator, operation: str, fault: LoseAnswer
) -> None:
    """A change that happened is answered as done."""
    put(driver, "/a.txt")
    names(driver, "/")
    if operation == "move":
        emulator.faults.add("update item", fault)
        assert driver.move(p("/a.txt"), p("/b.txt"), replace=False).item.name == "b.txt"
    elif operation == "mkcol":
        emulator.faults.add("create folder", fault)
        assert driver.make_folder(p("/d")).name == "d"
    else:
        emulator.faults.add("delete item", fault)
        driver.delete(p("/a.txt"))
    expected = {"move": {"/b.txt"}, "mkcol": {"/a.txt", "/d"}, "delete": set()}[operation]
    assert set(emulator.drive("documents").tree()) == expected
    assert {f"/{name}" for name in names(driver, "/")} == expected


def test_copy_whose_answer_is_lost(driver: GraphDriver, emulator: Emulator) -> None:
    """A copy that turns up is answered as made; one that does not is told as unknown."""
    put(driver, "/a.txt")
    emulator.faults.add("copy item", LoseAnswer())
    assert driver.copy(p("/a.txt"), p("/b.txt"), replace=False).created
    emulator.faults.add("copy item", Reset())
    with pytest.raises(UnknownOutcome):
        driver.copy(p("/a.txt"), p("/c.txt"), replace=False)
    assert names(driver, "/") == {"a.txt", "b.txt"}


def test_open_session_of_another(driver: GraphDriver, emulator: Emulator) -> None:
    """While another upload of the same file is open, a large one is refused as locked, a small one goes through."""
    drive_id = emulator.drive("documents").id
    with graph_of(emulator) as graph:
        graph.call("POST", f"/drives/{drive_id}/root:/a.bin:/createUploadSession", body={})
    with pytest.raises(Locked):
        put(driver, "/a.bin", LARGE)


def test_safe_save_onto_what_another_writes(driver: GraphDriver, emulator: Emulator) -> None:
    """An open upload of the target is 423: to a MOVE that may replace, "exists" would be no answer."""
    put(driver, "/a.txt", b"old")
    put(driver, "/a.tmp", b"new")
    drive_id = emulator.drive("documents").id
    with graph_of(emulator) as graph:
        graph.call("POST", f"/drives/{drive_id}/root:/a.txt:/createUploadSession", body={})
    with pytest.raises(Locked):
        driver.move(p("/a.tmp"), p("/a.txt"), replace=True)
    assert emulator.drive("documents").tree() == {"/a.txt": b"old", "/a.tmp": b"new"}


def test_threads(emulator: Emulator) -> None:
    """Many threads on one driver, each with its own files, see what they wrote."""
    count = 8
    with graph_of(emulator) as graph, ThreadPoolExecutor(count) as pool:
        driver = driver_of("business", emulator, graph)
        driver.make_folder(p("/d"))

        def work(number: int) -> None:
            for turn in range(5):
                path, moved = f"/d/{number}-{turn}.txt", f"/d/{number}-{turn}.new"
                put(driver, path, path.encode())
                assert f"{number}-{turn}.txt" in names(driver, "/d")
                driver.move(p(path), p(moved), replace=False)
                assert read(driver, moved) == path.encode()
                found = names(driver, "/d")
                assert f"{number}-{turn}.txt" not in found
                assert f"{number}-{turn}.new" in found

        for done in [pool.submit(work, number) for number in range(count)]:
            done.result()
        assert len(names(driver, "/d")) == count * 5
    assert len(emulator.drive("business").tree()) == count * 5 + 1


def test_patch_without_body(driver: GraphDriver, emulator: Emulator) -> None:
    """A PATCH that answers 204 costs a call more, and works."""
    emulator.quirks.patch_without_body = True
    put(driver, "/a.txt")
    assert driver.move(p("/a.txt"), p("/b.txt"), replace=False).item.name == "b.txt"
    assert names(driver, "/") == {"b.txt"}


def test_throttled_too_long(driver: GraphDriver, emulator: Emulator) -> None:
    """A long pause is told to the client, and nothing has changed."""
    put(driver, "/a.txt", b"old")
    emulator.faults.add("put content", Status(429, retry_after=600))
    with pytest.raises(Busy) as caught:
        put(driver, "/a.txt", b"new")
    assert caught.value.retry_after == pytest.approx(600, abs=1)
    assert emulator.drive("documents").read("/a.txt") == b"old"


def test_reset_in_a_download(driver: GraphDriver, emulator: Emulator) -> None:
    """A break is mended with a range of the same version."""
    put(driver, "/a.bin", LARGE)
    emulator.faults.add("download", Reset(after=1_000_000))
    assert read(driver, "/a.bin") == LARGE


def test_change_in_a_download(driver: GraphDriver, emulator: Emulator) -> None:
    """Bytes of two versions are never joined."""
    put(driver, "/a.bin", LARGE)
    emulator.faults.add("download", Reset(after=1_000_000))
    with driver.open(p("/a.bin")) as download:
        got = download.read(1000)
        emulator.drive("documents").put("/a.bin", LARGE[::-1])
        with pytest.raises(DownloadBroken):
            got += b"".join(iter(lambda: download.read(1 << 16), b""))
    assert LARGE.startswith(got)


def test_expired_url(driver: GraphDriver, emulator: Emulator) -> None:
    """A kept URL that has died is replaced by another."""
    put(driver, "/a.txt", b"0123")
    assert read(driver, "/a.txt") == b"0123"
    emulator.faults.add("download", Status(401, code="unauthenticated"))
    with driver.open(p("/a.txt"), Span(1, 3)) as download:
        assert download.read(10) == b"12"


def test_changed_by_others(driver: GraphDriver, emulator: Emulator, clock: ManualClock) -> None:
    """What others change is seen at a read, and after the cache's time everywhere."""
    drive = emulator.drive("documents")
    drive.put("/d/a.txt", b"one")
    assert names(driver, "/d") == {"a.txt"}
    assert read(driver, "/d/a.txt") == b"one"
    old = driver.stat(p("/d/a.txt")).etag
    drive.put("/d/a.txt", b"three")
    with driver.open(p("/d/a.txt")) as download:
        assert download.read(100) == b"three"
        assert (download.total, download.item.size) == (5, 5)
        assert download.item.etag != old
    with pytest.raises(PreconditionFailed):
        put(driver, "/d/a.txt", b"mine", if_match=old)
    drive.put("/d/b.txt", b"new")
    clock.advance(16)
    assert names(driver, "/d") == {"a.txt", "b.txt"}


def test_download_is_described_by_its_own_version(driver: GraphDriver, emulator: Emulator) -> None:
    """A listing may be older than the bytes: the download tells the tag of what it gives."""
    drive = emulator.drive("documents")
    drive.put("/a.txt", b"one")
    old = next(iter(driver.children(p("/"))[1])).etag
    drive.put("/a.txt", b"two")
    with driver.open(p("/a.txt")) as download:
        assert download.read(10) == b"two"
        assert download.item.etag != old
    assert driver.stat(p("/a.txt")).etag == download.item.etag
    with pytest.raises(PreconditionFailed):
        driver.open(p("/a.txt"), if_match=old)


@pytest.mark.parametrize("kind", DRIVES)
def test_ranges_of_two_versions(kind: str, emulator: Emulator, clock: ManualClock) -> None:
    """The kept address serves what is current: a range of a newer version comes with that one's tag, or not at all."""
    with graph_of(emulator, clock) as graph:
        driver = driver_of(kind, emulator, graph)
        put(driver, "/a.txt", b"11111111")
        with driver.open(p("/a.txt"), Span(0, 4)) as download:
            tag = download.item.etag
        emulator.drive(DRIVES[kind]).put("/a.txt", b"22222222")
        with driver.open(p("/a.txt"), Span(4, 8)) as download:
            assert download.read(4) == b"2222"
            assert download.item.etag != tag
        emulator.drive(DRIVES[kind]).put("/a.txt", b"33333333")
        with pytest.raises(PreconditionFailed):
            driver.open(p("/a.txt"), Span(4, 8), if_match=download.item.etag)


@pytest.mark.parametrize("code", ["malwareDetected", "accessDenied"])
def test_download_that_is_not_allowed(driver: GraphDriver, emulator: Emulator, code: str) -> None:
    """A fresh address that is refused is no broken upstream: a policy forbids the download, or there is malware."""
    put(driver, "/a.txt")
    emulator.faults.add("download", Status(403, code=code), times=2)
    with pytest.raises(Forbidden):
        driver.open(p("/a.txt"))


def test_range_ignored(driver: GraphDriver, emulator: Emulator) -> None:
    """A storage that answers a range with the whole file still gives the range."""
    emulator.quirks.range_ignored = True
    put(driver, "/a.txt", b"0123456789")
    with driver.open(p("/a.txt"), Span(3, 6)) as download:
        assert (download.start, download.length, download.read(10)) == (3, 3, b"345")


def test_times_whose_answer_is_lost(driver: GraphDriver, emulator: Emulator) -> None:
    """Setting times may be repeated."""
    put(driver, "/a.txt")
    when = datetime(2020, 1, 1, tzinfo=UTC)
    emulator.faults.add("update item", LoseAnswer())
    assert driver.set_times(p("/a.txt"), Times(when)).modified == when


def test_stale_if_match_is_caught_by_graph(driver: GraphDriver, emulator: Emulator) -> None:
    """The cache may be stale: the version goes with the PUT, and Graph refuses."""
    etag = put(driver, "/a.txt", b"one").item.etag
    emulator.drive("documents").put("/a.txt", b"theirs")
    with pytest.raises(PreconditionFailed):
        put(driver, "/a.txt", b"mine", if_match=etag)
    with pytest.raises(PreconditionFailed):
        put(driver, "/a.txt", LARGE, if_match=etag)
    assert emulator.drive("documents").read("/a.txt") == b"theirs"


@pytest.mark.parametrize("match", ["etag", "*"])
def test_if_match_for_what_others_have_deleted(driver: GraphDriver, emulator: Emulator, match: str) -> None:
    """The file is gone and its folder is not: 412, and no 409."""
    etag = put(driver, "/d.txt", b"one").item.etag
    emulator.drive("documents").delete("/d.txt")
    with pytest.raises(PreconditionFailed):
        put(driver, "/d.txt", b"mine", if_match=etag if match == "etag" else "*")
    assert emulator.drive("documents").tree() == {}
    put(driver, "/d.txt", b"new")


def test_refused_tag_of_an_unchanged_file(driver: GraphDriver, emulator: Emulator) -> None:
    """Graph may refuse a tag although the content is the same; it is looked at again before a client hears 412."""
    etag = put(driver, "/a.txt", b"one").item.etag
    emulator.faults.add("put content", Status(412, code="resourceModified"))
    put(driver, "/a.txt", b"two", if_match=etag)
    assert read(driver, "/a.txt") == b"two"


def test_deleted_by_others(driver: GraphDriver, emulator: Emulator) -> None:
    """A known item that has gone is told as gone, whatever is asked of it."""
    drive = emulator.drive("documents")
    for name in "abc":
        drive.put(f"/{name}.txt", b"x")
    drive.mkdir("/d")
    names(driver, "/")
    for path in ("/a.txt", "/b.txt", "/c.txt", "/d"):
        drive.delete(path)
    with pytest.raises(NotFound):
        driver.delete(p("/a.txt"))
    with pytest.raises(NotFound):
        driver.open(p("/b.txt"))
    with pytest.raises(NotFound):
        driver.move(p("/c.txt"), p("/e.txt"), replace=False)
    with pytest.raises(ParentNotFound):
        put(driver, "/d/new.txt")
    assert drive.tree() == {}


def test_replaced_by_others(driver: GraphDriver, emulator: Emulator) -> None:
    """A file that was deleted and made again elsewhere is found under its new id."""
    drive = emulator.drive("documents")
    drive.put("/a.txt", b"one")
    names(driver, "/")
    drive.delete("/a.txt")
    drive.put("/a.txt", b"two")
    assert read(driver, "/a.txt") == b"two"
    drive.delete("/a.txt")
    drive.put("/a.txt", b"three")
    driver.delete(p("/a.txt"))
    assert drive.tree() == {}


@pytest.mark.parametrize("operation", ["times", "move", "copy"])
def test_replaced_by_others_and_changed_here(driver: GraphDriver, emulator: Emulator, operation: str) -> None:
    """What exists is never told as missing, although the id that we knew is gone."""
    drive = emulator.drive("documents")
    drive.put("/a.txt", b"one")
    names(driver, "/")
    drive.delete("/a.txt")
    drive.put("/a.txt", b"two")
    when = datetime(2020, 1, 1, tzinfo=UTC)
    if operation == "times":
        assert driver.set_times(p("/a.txt"), Times(when)).modified == when
    else:
        getattr(driver, operation)(p("/a.txt"), p("/b.txt"), replace=False)
        assert drive.read("/b.txt") == b"two"
        assert drive.exists("/a.txt") == (operation == "copy")


def test_notebook(driver: GraphDriver, emulator: Emulator) -> None:
    """A OneNote notebook is an empty folder that nothing can be written into."""
    state = emulator.drive("documents")
    state.drive.make_package(state.drive.root, "Notes")
    folder, children = driver.children(p("/Notes"))
    assert (folder.kind, list(children)) == (Kind.PACKAGE, [])
    with pytest.raises(Unsupported):
        put(driver, "/Notes/a.txt")
    with pytest.raises(Unsupported):
        driver.make_folder(p("/Notes/d"))


def test_failed_move_puts_the_old_one_back(driver: GraphDriver, emulator: Emulator) -> None:
    """A replaced folder gets its name back when the move behind it fails."""
    drive = emulator.drive("documents")
    drive.put("/new/n.txt", b"n")
    drive.put("/old/o.txt", b"o")
    before = drive.tree()
    names(driver, "/")
    emulator.faults.add("update item", Status(423, code="resourceLocked"), nth=2)
    with pytest.raises(BridgeError):
        driver.move(p("/new"), p("/old"), replace=True)
    assert drive.tree() == before
    assert names(driver, "/") == {"new", "old"}


def test_failed_copy_puts_the_old_one_back(driver: GraphDriver, emulator: Emulator) -> None:
    """So it is with a copy that fails at its monitor."""
    drive = emulator.drive("documents")
    drive.put("/new/n.txt", b"n")
    drive.put("/old/o.txt", b"o")
    before = drive.tree()
    emulator.quirks.copy_fails = "accessDenied"
    with pytest.raises(BridgeError):
        driver.copy(p("/new"), p("/old"), replace=True)
    assert drive.tree() == before


def test_failed_safe_save_keeps_both(driver: GraphDriver, emulator: Emulator) -> None:
    """When the new version cannot be stored, original and temporary file are as they were."""
    put(driver, "/a.txt", b"old")
    put(driver, "/a.tmp", b"new")
    emulator.faults.add("create session", Status(423, code="resourceLocked"))
    with pytest.raises(BridgeError):
        driver.move(p("/a.tmp"), p("/a.txt"), replace=True)
    assert emulator.drive("documents").tree() == {"/a.txt": b"old", "/a.tmp": b"new"}


def test_safe_save_keeps_the_history(driver: GraphDriver, emulator: Emulator) -> None:
    """The old content is a former version of the same item."""
    put(driver, "/a.txt", b"old")
    put(driver, "/a.tmp", b"new")
    driver.move(p("/a.tmp"), p("/a.txt"), replace=True)
    assert emulator.drive("documents").versions("/a.txt") == [b"old"]


def test_old_upload_is_an_ordinary_move(driver: GraphDriver, clock: ManualClock) -> None:
    """After ten minutes a file is no temporary one any more: it keeps its own id."""
    put(driver, "/a.txt", b"old")
    item = put(driver, "/b.txt", b"new").item
    clock.advance(601)
    assert driver.move(p("/b.txt"), p("/a.txt"), replace=True).item.id == item.id


def test_no_quota(driver: GraphDriver, emulator: Emulator, clock: ManualClock) -> None:
    """A library that tells zeros tells nothing."""
    emulator.quirks.no_quota = True
    clock.advance(QUOTA_SECONDS + 1)  # the drive told it when it was found
    assert driver.quota() is None


def test_copy_is_there_at_once(driver: GraphDriver, emulator: Emulator) -> None:
    """What was copied is shown although listings lag."""
    emulator.quirks.listing_lag = 3
    put(driver, "/a.txt")
    driver.copy(p("/a.txt"), p("/b.txt"), replace=False)
    assert driver.stat(p("/b.txt")).size == 7
    assert names(driver, "/") == {"a.txt", "b.txt"}


@pytest.mark.parametrize("kind", ["business", "personal"])
def test_two_drivers_share_a_drive(kind: str, emulator: Emulator) -> None:
    """Another process's write is seen after the cache's time, and its file is replaced rather than doubled."""
    clock = ManualClock(datetime.now(UTC))
    with graph_of(emulator, clock) as graph:
        one, two = driver_of(kind, emulator, graph), driver_of(kind, emulator, graph)
        assert names(one, "/") == set()
        put(two, "/a.txt", b"two")
        assert not put(one, "/a.txt", b"one").created
        clock.advance(16)
        assert read(two, "/a.txt") == b"one"
        assert names(one, "/") == names(two, "/") == {"a.txt"}
    assert set(emulator.drive(DRIVES[kind]).tree()) == {"/a.txt"}
