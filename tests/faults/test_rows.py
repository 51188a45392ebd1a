"""Rows of the fault table that no other test has on both kinds of drives: the status to the client, and what is stored.

`rows.md` names the tests of each row; the last test here holds it to that.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from davbridge.emulator.blobs import Blob
from davbridge.emulator.faults import Action, Html, LoseAnswer, Reset, Status, WorkThen
from davbridge.emulator.httpd import Request, Response
from tests.faults.conftest import BEFORE, NEW, OLD
from tests.support.dav import Answer, Dav
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("small_fragments")

LARGE = bytes(range(256)) * 90_000
"""Three fragments: two of 10 MiB, and the rest."""
LAST = 3


@dataclass(frozen=True)
class Verb:
    """A request, its good status, the call that carries it out, and the tree after it."""

    ask: Callable[[Dav], Answer]
    good: int
    call: str
    after: dict[str, bytes | None]


def _without(path: str) -> dict[str, bytes | None]:
    return {one: data for one, data in BEFORE.items() if one != path and not one.startswith(f"{path}/")}


def _at(path: str) -> dict[str, bytes | None]:
    return {one.replace("/d", path, 1): data for one, data in BEFORE.items() if one.startswith("/d")}


READS = {
    "GET": Verb(lambda dav: dav.get("a.bin"), 200, "*", BEFORE),
    "PROPFIND": Verb(lambda dav: dav.propfind("", depth=1), 207, "*", BEFORE),
}
WRITES = {
    "PUT": Verb(lambda dav: dav.put("a.bin", NEW), 204, "put content", {**BEFORE, "/a.bin": NEW}),
    "PUT, new": Verb(lambda dav: dav.put("n.bin", NEW), 201, "put content", {**BEFORE, "/n.bin": NEW}),
    "MKCOL": Verb(lambda dav: dav.mkcol("f"), 201, "create folder", {**BEFORE, "/f": None}),
    "MOVE": Verb(lambda dav: dav.move("a.bin", "z"), 201, "update item", {**_without("/a.bin"), "/z": OLD}),
    "MOVE, tree": Verb(lambda dav: dav.move("d", "z"), 201, "update item", {**_without("/d"), **_at("/z")}),
    "COPY": Verb(lambda dav: dav.copy("a.bin", "z"), 201, "copy item", {**BEFORE, "/z": OLD}),
    "COPY, tree": Verb(lambda dav: dav.copy("d", "z"), 201, "copy item", {**BEFORE, **_at("/z")}),
    "DELETE": Verb(lambda dav: dav.delete("a.bin"), 204, "delete item", _without("/a.bin")),
    "DELETE, tree": Verb(lambda dav: dav.delete("d"), 204, "delete item", _without("/d")),
}


@dataclass(frozen=True)
class Before(Action):
    """Something happens just before the call."""

    act: Callable[[], object]

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        self.act()
        return run()


@dataclass(frozen=True)
class Instead(Action):
    """Another body than Graph's, with its status or another."""

    body: bytes
    status: int = 200

    def apply(self, request: Request, run: Callable[[], Response]) -> Response:
        run()
        return Response(self.status, {"Content-Type": "application/json"}, self.body)


def full(drive) -> dict[str, bytes | None]:
    """What is stored, once copies have ended."""
    return drive.tree()


@pytest.mark.parametrize("verb", [*READS, *WRITES])
@pytest.mark.parametrize("fault", [Status(429), Status(503, retry_after=2), Html(503)], ids=repr)
def test_a_short_pause(world: World, dav: Dav, drive, verb: str, fault: Action) -> None:
    """F03, F04: with or without a time to wait, the client only waits, and all is done once."""
    job = {**READS, **WRITES}[verb]
    world.forget() if verb in READS else None
    world.emulator.faults.add("*" if verb in READS else job.call, fault)
    assert job.ask(dav).status == job.good
    assert world.emulator.faults.pending == 0
    assert drive.tree() == job.after


@pytest.mark.parametrize("verb", READS)
@pytest.mark.parametrize("fault", [Status(500), Html(502), Reset()], ids=repr)
def test_reads_that_fail_for_good(world: World, dav: Dav, drive, verb: str, fault: Action) -> None:
    """F05: a broken upstream is 502 after some tries, and never 404."""
    world.forget()
    world.emulator.faults.add("*", fault, times=40)
    with world.emulator.calls.counting() as calls:
        assert READS[verb].ask(dav).status == 502
    assert calls.graph <= 5
    world.emulator.faults.clear()
    assert READS[verb].ask(dav).status == READS[verb].good


@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize(
    "fault",
    [Status(500), Html(502), Status(504), WorkThen(500), WorkThen(502), WorkThen(504), LoseAnswer()],
    ids=repr,
)
def test_writes_of_unknown_outcome(world: World, dav: Dav, drive, verb: str, fault: Action) -> None:
    """F06, F07, F08: done and told so, or else a 5xx and done or not, whole; nothing twice, under no other name."""
    job = WRITES[verb]
    world.emulator.faults.add(job.call, fault)
    status = job.ask(dav).status
    assert world.emulator.faults.pending == 0
    world.forget()
    dav.propfind("", depth=1, check=207)
    if status in (201, 204):
        assert drive.tree() == job.after
        assert drive.versions("/a.bin") == [OLD] if verb == "PUT" else True
    else:
        assert status in (502, 503, 504)
        assert drive.tree() in (BEFORE, job.after)


@pytest.mark.parametrize("verb", WRITES)
def test_what_is_shown_after_an_unknown_outcome(world: World, dav: Dav, drive, verb: str) -> None:
    """F06, F07: nobody could find out what was done; from then on what is there is shown, and not what was known."""
    job = WRITES[verb]
    dav.propfind("z", depth=0, check=404)
    world.emulator.faults.add(job.call, LoseAnswer(), times=5)
    world.emulator.faults.add("get item", Status(500), times=40)
    assert job.ask(dav).status in (job.good, 502, 503, 504)
    world.emulator.faults.clear()
    assert drive.tree() in (BEFORE, job.after)
    listed = {resource.href.rstrip("/").rpartition("/")[2] for resource in dav.propfind("", depth=1).resources[1:]}
    assert listed == {path[1:] for path in drive.tree() if path.count("/") == 1}
    for path in ("/a.bin", "/z", "/f", "/n.bin", "/d"):
        dav.propfind(path[1:], depth=0, check=207 if path in drive.tree() else 404)


def test_a_new_folder_that_shows_late(world: World, dav: Dav, drive) -> None:
    """F06: the answer was lost, and the name is free by its path and taken for the second try: it is ours, and seen."""
    world.emulator.quirks.listing_lag = world.emulator.quirks.lookup_lag = 1
    world.emulator.faults.add("create folder", LoseAnswer())
    dav.mkcol("d/f", check=201)
    assert "f" in {resource.href.rstrip("/").rpartition("/")[2] for resource in dav.propfind("d", depth=1).resources}
    assert drive.tree() == {**BEFORE, "/d/f": None}


@pytest.mark.parametrize("fault", [Status(500), Html(502), Status(504)], ids=repr)
@pytest.mark.parametrize("name", ["a.bin", "n.bin"], ids=["there", "new"])
def test_a_session_that_is_not_opened(world: World, dav: Dav, drive, name: str, fault: Action) -> None:
    """F06: nothing of the body has been sent, so it is asked for again: a mount is told once, at its end, and no more.

    Told 504 there, davfs2 loses the file.
    """
    world.emulator.faults.add("create session", fault, times=2)
    dav.put(name, LARGE, check=204 if name == "a.bin" else 201)
    assert world.emulator.faults.pending == 0
    assert drive.tree() == {**BEFORE, f"/{name}": LARGE}
    assert drive.open_sessions == 0


@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("fault", [Status(503, retry_after=2), Reset(3), LoseAnswer(), WorkThen(503)], ids=repr)
def test_a_lost_answer_where_there_is_no_hash(
    world: World, dav: Dav, drive, monkeypatch: pytest.MonkeyPatch, fault: Action, *, known: bool
) -> None:
    """F04, F06: the old content is as long as the new and has no hash, and is not taken for it."""
    monkeypatch.setattr(Blob, "quick_xor_hash", property(lambda _: ""))
    if not known:
        world.forget()
    other = bytes(reversed(OLD))
    world.emulator.faults.add("put content", fault)
    answer = dav.put("a.bin", other)
    assert answer.status in (204, 504)
    assert drive.read("/a.bin") == other if answer.status == 204 else drive.read("/a.bin") in (OLD, other)


@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("fault", [WorkThen(503), Status(503, retry_after=2), Html(503)], ids=repr)
@pytest.mark.parametrize("name", ["a.bin", "n.bin"], ids=["there", "new"])
@pytest.mark.parametrize("data", [b"", NEW, LARGE[:6_000_000], LARGE], ids=["empty", "small", "one fragment", "three"])
def test_a_commit_that_is_answered_with_503(
    world: World, dav: Dav, drive, name: str, data: bytes, fault: Action, *, known: bool
) -> None:
    """F04: it may have worked, so it is looked at before it is done again: once is one version, whole."""
    if not known:
        world.forget()
    call = "put content" if len(data) <= len(NEW) else "put fragment"
    world.emulator.faults.add(call, fault, nth=LAST if data is LARGE else 1)
    dav.put(name, data, check=(201, 204))
    assert world.emulator.faults.pending == 0
    assert drive.tree() == {**BEFORE, f"/{name}": data}
    assert drive.versions(f"/{name}") == ([OLD] if name == "a.bin" else [])
    assert drive.open_sessions == 0
    assert dav.get(name, check=200).body == data


@pytest.mark.parametrize("data", [NEW, LARGE[:6_000_000]], ids=["small", "session"])
def test_a_commit_that_is_refused_for_long(world: World, dav: Dav, drive, data: bytes) -> None:
    """F02: 503 with a long time to wait is told with that time, and nothing is stored."""
    call = "put content" if data is NEW else "put fragment"
    world.emulator.faults.add(call, Status(503, retry_after=300))
    answer = dav.put("a.bin", data, check=503)
    assert 200 < int(answer.header("Retry-After")) <= 300
    assert drive.tree() == BEFORE


def test_a_session_that_was_opened_unheard(world: World, dav: Dav, drive) -> None:
    """F24: the service lets nobody else write for a quarter of an hour: 423, with a time after which to come again."""
    world.emulator.faults.add("create session", LoseAnswer())
    answer = dav.put("a.bin", LARGE, check=423)
    assert 0 < int(answer.header("Retry-After")) <= 900
    assert drive.tree() == BEFORE
    world.emulator.clock.advance(901)
    dav.put("a.bin", LARGE, check=204)
    assert drive.read("/a.bin") == LARGE


@pytest.mark.parametrize("nth", [1, 2, LAST])
def test_a_token_that_ends_in_mid_upload(world: World, dav: Dav, drive, nth: int) -> None:
    """F16: a new token, and the body whole: fragments need none."""
    for token in world.emulator.world.tokens.values():
        token.good = False
    dav.put("small", NEW, check=201)

    def end() -> None:
        for token in world.emulator.world.tokens.values():
            token.good = False

    world.emulator.faults.add("put fragment", Before(end), nth=nth)
    dav.put("a.bin", LARGE, check=204)
    assert drive.read("/small") == NEW
    assert drive.read("/a.bin") == LARGE
    assert dav.get("a.bin", check=200).body == LARGE


def test_an_office_file_whose_session_is_not_found(world: World, dav: Dav, drive) -> None:
    """F23: the session says 404 for a document that is there: it is stored all the same, as a new version."""
    drive.put("/r.docx", OLD)
    world.emulator.quirks.session_404_on_replace = True
    dav.put("r.docx", LARGE, check=(201, 204))
    assert drive.read("/r.docx") == LARGE
    assert drive.versions("/r.docx") == [OLD]


@pytest.mark.parametrize("absent", [False, True], ids=["plain", "if none match"])
@pytest.mark.parametrize("nth", [2, LAST])
def test_a_name_that_is_taken_in_mid_upload(world: World, dav: Dav, drive, *, absent: bool, nth: int) -> None:
    """F25: who wanted a new file hears 412 and theirs stays; else ours is a version after theirs. Never `n 1.bin`."""
    world.emulator.faults.add("put fragment", Before(lambda: drive.put("/n.bin", OLD)), nth=nth)
    dav.put("n.bin", LARGE, headers={"If-None-Match": "*"} if absent else {}, check=412 if absent else (201, 204))
    assert drive.tree() == {**BEFORE, "/n.bin": OLD if absent else LARGE}
    assert drive.versions("/n.bin") == ([] if absent else [OLD])
    assert drive.open_sessions == 0


@pytest.mark.parametrize("status", [413, 423, 507])
def test_a_last_fragment_that_is_refused(world: World, dav: Dav, drive, status: int) -> None:
    """F26: the status is passed on, the session cancelled, and the old content stays."""
    code = {413: "maxFileSizeExceeded", 423: "resourceLocked", 507: "quotaLimitReached"}[status]
    world.emulator.faults.add("put fragment", Status(status, code=code), nth=LAST)
    dav.put("a.bin", LARGE, check=status)
    assert drive.tree() == BEFORE
    assert drive.versions("/a.bin") == []
    assert drive.open_sessions == 0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_address_that_is_refused(world: World, dav: Dav, drive, status: int) -> None:
    """F27: another is asked for, and the same bytes come."""
    dav.get("a.bin", check=200)
    world.emulator.faults.add("download", Status(status))
    assert dav.get("a.bin", headers={"Range": "bytes=4-"}, check=206).body == OLD[4:]
    assert world.emulator.faults.pending == 0


def test_a_document_longer_than_listed(world: World, dav: Dav, drive) -> None:
    """F28: the length is that of the bytes that come; HEAD and PROPFIND tell it afterwards."""
    world.emulator.quirks.office_rewrite = True
    dav.put("r.docx", b"PK" + OLD, check=201)
    answer = dav.get("r.docx", check=200)
    assert answer.body == drive.read("/r.docx")
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert int(dav.head("r.docx", check=200).header("Content-Length")) == len(answer.body)


def test_a_version_that_is_no_more(world: World, dav: Dav, drive) -> None:
    """F32: somebody has changed the file behind the mirror's back: 412, theirs stays, and is then shown."""
    tag = dav.get("a.bin", check=200).etag
    drive.put("/a.bin", b"theirs")
    dav.put("a.bin", NEW, headers={"If-Match": tag}, check=412)
    dav.put("a.bin", LARGE, headers={"If-Match": tag}, check=412)
    dav.delete("a.bin", headers={"If-Match": tag}, check=412)
    assert drive.tree() == {**BEFORE, "/a.bin": b"theirs"}
    assert dav.get("a.bin", check=200).body == b"theirs"


def test_names_that_others_have_taken(world: World, dav: Dav, drive) -> None:
    """F33: what the mirror does not know yet is neither doubled nor replaced unasked."""
    drive.put("/n", b"theirs")
    dav.mkcol("n", check=405)
    dav.move("a.bin", "n", headers={"Overwrite": "F"}, check=412)
    dav.copy("a.bin", "n", headers={"Overwrite": "F"}, check=412)
    assert drive.tree() == {**BEFORE, "/n": b"theirs"}
    dav.put("n", NEW, check=(201, 204))
    assert drive.tree() == {**BEFORE, "/n": NEW}


REFUSALS = {
    "locked": (Status(423, code="resourceLocked"), 423),
    "denied": (Status(403, code="accessDenied"), 403),
    "full": (Status(507, code="quotaLimitReached"), 507),
}


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("verb", WRITES)
def test_writes_that_are_refused(world: World, dav: Dav, drive, verb: str, why: str) -> None:
    """F34, F35, F36: told in the status that clients know, nothing changed, and not asked again and again."""
    fault, status = REFUSALS[why]
    world.emulator.faults.add(WRITES[verb].call, fault, times=3)
    assert WRITES[verb].ask(dav).status == status
    assert world.emulator.faults.pending > 0
    world.emulator.faults.clear()
    assert drive.tree() == BEFORE


@pytest.mark.parametrize("verb", ["MOVE", "MOVE, tree", "COPY", "DELETE", "GET"])
def test_an_item_that_has_gone(world: World, dav: Dav, drive, verb: str) -> None:
    """F36: what the mirror still shows is 404, and then not shown any more."""
    job = {**READS, **WRITES}[verb]
    gone = "d" if "tree" in verb else "a.bin"
    drive.delete(f"/{gone}")
    assert job.ask(dav).status == 404
    dav.propfind(gone, depth=0, check=404)
    assert drive.tree() == _without(f"/{gone}")


@pytest.mark.parametrize("verb", ["COPY", "COPY, tree"])
def test_a_copy_that_fails(world: World, dav: Dav, drive, verb: str) -> None:
    """F37: the monitor tells a failure with 200: no success, and what was there is there, also what was replaced."""
    world.emulator.quirks.copy_fails = "generalException"
    assert WRITES[verb].ask(dav).status in (502, 504)
    assert drive.tree() == BEFORE
    drive.put("/z/old", OLD)
    assert WRITES[verb].ask(dav).status in (502, 504)
    world.emulator.quirks.copy_fails = ""
    world.bridge.settle()
    assert drive.tree() == {**BEFORE, "/z": None, "/z/old": OLD}


@pytest.mark.parametrize("size", [0, len(NEW), len(LARGE)], ids=["empty", "small", "session"])
def test_the_same_put_again(world: World, dav: Dav, drive, size: int) -> None:
    """F47, F52: a client that has heard no answer puts once more: one item with these bytes."""
    data = LARGE[:size]
    dav.put("n.bin", data, check=201)
    dav.put("n.bin", data, check=204)
    assert drive.tree() == {**BEFORE, "/n.bin": data}
    assert dav.get("n.bin", check=200).body == data


NONSENSE = {
    "page": Instead(b"<html>"),
    "nothing": Instead(b""),
    "error": Instead(b'{"error":{"code":"generalException","message":"x"}}'),
    "null": Instead(b"null"),
    "list": Instead(b"[]"),
    "nulls": Instead(b'{"id":null,"name":null,"size":null,"value":null}'),
    "future": Instead(b'{"id":7,"size":"many","file":[],"parentReference":"x","value":[7]}'),
}


@pytest.mark.parametrize("verb", [*READS, *WRITES])
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_answers_that_make_no_sense(world: World, dav: Dav, drive, verb: str, nonsense: str) -> None:
    """F51: no error of the bridge's own, no 404 for what exists, no success that is none."""
    job = {**READS, **WRITES}[verb]
    if verb in READS:
        world.forget()
    world.emulator.faults.add(job.call, NONSENSE[nonsense])
    status = job.ask(dav).status
    assert status in (job.good, 502, 504)
    assert drive.tree() in ([job.after] if status == job.good else [BEFORE, job.after])
    world.forget()
    dav.propfind("", depth=1, check=207)


def test_each_row_has_its_tests() -> None:
    """All 52 rows are in the table, and the tests that it names exist."""
    folder = Path(__file__).parent
    lines = dict(re.findall(r"^\| (F\d\d) \|(.*)\|$", (folder / "rows.md").read_text(), re.MULTILINE))
    assert sorted(lines) == [f"F{number:02}" for number in range(1, 53)]
    for row, line in lines.items():
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", line)
        assert named or "none" in line, row
        for file, test in named:
            tree = ast.parse((folder.parent / file).read_text())
            assert test in {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}, f"{row}: {test}"
