"""Simple uploads and upload sessions, with every rule of §3."""

from __future__ import annotations

import re
from datetime import timedelta

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, check_match, context, entity, not_modified, read_json, read_times
from davbridge.emulator.blobs import Blob, Draft
from davbridge.emulator.clock import text
from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.httpd import BLOCK, Drop, Request, Response
from davbridge.emulator.items import conflict_of, shown
from davbridge.emulator.problems import Problem, bad_request, name_taken, not_found
from davbridge.emulator.views import Json
from davbridge.emulator.world import OFFICE, Session, World, secret

UNIT = 327_680
LARGEST_FRAGMENT = 62_914_560
LARGEST_SIMPLE = 250_000_000
SESSION_SECONDS = 900
LONGEST_SESSION = timedelta(hours=24)


def put_content(world: World, target: Target, request: Request) -> Response:
    """Create or replace a file in one request (§3.1)."""
    drive = target.on()
    if request.length > LARGEST_SIMPLE:
        raise Problem(413, "maxFileSizeExceeded", "The request message is too big")
    if target.start is not None and not target.names:
        item = target.item()
        if not item.is_file:
            raise bad_request("The item has no content")
        _one_at_a_time(drive, drive.parent_of(item), item.name)
        check_match(request, drive.etag(item), drive.ctag(item))
        blob = _receive(world, request)
        with drive.lock:
            # it may have changed while the body was on its way
            check_match(request, drive.etag(item), drive.ctag(item))
            drive.replace(drive.get(item.id), blob)
        return _stored(world, drive, item, request, created=False)
    conflict = conflict_of({}, request, "replace")
    parent, name = target.parent_and_name(make=True)
    found = drive.child(parent, name)
    if "if-match" in request.headers:
        if found is None:
            raise not_found()
        check_match(request, drive.etag(found), drive.ctag(found))
    _one_at_a_time(drive, parent, name)
    blob = _receive(world, request)
    with drive.lock:
        if "if-match" in request.headers and found is not None:
            check_match(request, drive.etag(found), drive.ctag(found))
        item, created = drive.store(parent, name, blob, conflict)  # type: ignore[arg-type]
    return _stored(world, drive, item, request, created=created)


def _receive(world: World, request: Request) -> Blob:
    draft = Draft(world.folder, request.length)
    try:
        position = 0
        while block := request.read(BLOCK):
            draft.write(position, block)
            position += len(block)
    except Drop:
        draft.discard()
        raise
    return draft.finish(request.length)


def _stored(world: World, drive: Drive, item: Item, request: Request, *, created: bool) -> Response:
    if created:
        item.lag = world.quirks.listing_lag
        item.hidden = world.quirks.lookup_lag
    response = answer(request, 201 if created else 200, entity(request, drive.id, shown(world, drive, item, None)))
    world.after_upload(drive, item)
    return response


def _one_at_a_time(drive: Drive, parent: Item, name: str) -> None:
    # business and SharePoint: one open session a file, whatever the conflictBehavior (§3.2, ISS 747)
    if drive.business and (parent.id, drive.fold(name)) in drive.open_sessions:
        raise Problem(409, "nameAlreadyExists", "A file with the same name is currently being uploaded")


def create_session(world: World, target: Target, request: Request) -> Response:
    drive = target.on()
    body = read_json(request, optional=True)
    item_body = body.get("item") or {}
    world.expire()
    parent, name = target.parent_and_name(make=True)
    if (given := item_body.get("name")) is not None and given != name:
        raise bad_request("The name must be the one in the URL")
    drive.check_name(parent, name, folder=False)
    found = drive.child(parent, name)
    if target.start is not None and not target.names and found is None:
        raise not_found()
    conflict = conflict_of(item_body, request, "replace")
    if found is not None and not found.is_file:
        raise name_taken()
    if found is not None and conflict == "fail" and drive.business:
        raise name_taken()  # personal drives notice only at the end (§3.2, ISS 55)
    _one_at_a_time(drive, parent, name)
    if found is not None:
        check_match(request, drive.etag(found), drive.ctag(found))
        if not_modified(request, drive.etag(found), drive.ctag(found)):
            raise Problem(412, "resourceModified", "The item has not changed", inner="entityTagDoesNotMatch")
        drive.check_writable(found)
        if world.quirks.session_404_on_replace and found.name.lower().endswith(OFFICE):
            world.quirks.session_404_on_replace = False
            raise not_found()
    elif "if-match" in request.headers:
        raise not_found()
    size = item_body.get("fileSize")
    if isinstance(size, int):
        drive._check_room(size - (found.size if found is not None else 0))
    created, modified = read_times(item_body)
    now = world.clock.now()
    session = Session(drive, parent.id, name, conflict, None, now + timedelta(seconds=SESSION_SECONDS), now)
    session.fs_created, session.fs_modified = created, modified
    session.defer = bool(body.get("deferCommit"))
    session.broken = (
        world.quirks.if_match_on_session_breaks
        and drive.business
        and found is not None
        and "if-match" in request.headers
    )
    token = secret(32)
    if found is None and world.quirks.session_placeholder and drive.business:
        placeholder, _ = drive.store(parent, name, Blob.of(b""), "fail")
        placeholder.placeholder = True
        session.item_id = placeholder.id
    world.sessions[token] = session
    drive.open_sessions[parent.id, drive.fold(name)] = token
    expires = text(session.expires, milliseconds=True)
    url = f"{world.content_url}/upload/{token}"
    head = context(request, "microsoft.graph.uploadSession")
    body = {"uploadUrl": url, "expirationDateTime": expires, "nextExpectedRanges": ["0-"]}
    return answer(request, 200, head | body)


def session_request(world: World, token: str, request: Request) -> Response:
    """A request to an upload URL: PUT a fragment, GET the status, DELETE to cancel, POST to commit a deferred one."""
    if "authorization" in request.headers:
        raise Problem(401, "unauthenticated", "An upload URL takes no Authorization header")
    world.expire()
    session = world.sessions.get(token)
    if session is None:
        raise Problem(404, "itemNotFound", "The upload session was not found", inner="uploadSessionNotFound")
    if session.drive.business and world.clock.now() - session.started > LONGEST_SESSION:
        raise Problem(401, "unauthenticated", "The upload URL has expired", inner="expiredToken")
    if request.method == "GET":
        return answer(request, 200, _progress(session))
    if request.method == "DELETE":
        world.end_session(token)
        return answer(request, 204)
    if request.method == "POST" and session.complete and session.defer and session.drive.business:
        return _commit(world, token, session, request)
    if request.method == "PUT":
        return _fragment(world, token, session, request)
    raise bad_request("API not found")


def _progress(session: Session) -> Json:
    expires = text(session.expires, milliseconds=True)
    left = [] if session.complete else [f"{session.received}-"]
    return {"expirationDateTime": expires, "nextExpectedRanges": left}


def _fragment(world: World, token: str, session: Session, request: Request) -> Response:
    start, end, total = _content_range(request)
    length = end - start + 1
    if request.length != length:
        raise bad_request("The Content-Length does not fit the Content-Range", inner="fragmentLengthMismatch")
    if length >= LARGEST_FRAGMENT:
        raise Problem(413, "invalidRequest", "The request message is too big", inner="maxFragmentLengthExceeded")
    if session.total not in (-1, total):
        raise bad_request("The total differs from the one before")
    if start != session.received:
        inner = "fragmentOverlap" if start < session.received else "fragmentOutOfOrder"
        raise Problem(416, "invalidRange", "The fragment is not the expected one", inner=inner)
    last = end + 1 == total
    if length % UNIT and not last:
        raise bad_request("Fragments must be multiples of 320 KiB", inner="fragmentLengthMismatch")
    session.total = total
    if session.draft is None:
        session.draft = Draft(world.folder, total)
    position = start
    # a request that is cut raises here, before `received` moves: all its bytes are discarded (§3.3)
    while block := request.read(BLOCK):
        session.draft.write(position, block)
        position += len(block)
    session.received = position
    session.expires = world.clock.now() + timedelta(seconds=SESSION_SECONDS)
    if not last:
        return answer(request, 202, _progress(session))
    session.complete = True
    if session.defer:
        return answer(request, 202, _progress(session))
    return _commit(world, token, session, request)


def _content_range(request: Request) -> tuple[int, int, int]:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers.get("content-range", ""))
    if not found:
        raise bad_request("The Content-Range is missing or malformed")
    start, end, total = (int(part) for part in found.groups())
    if end < start or end >= total:
        raise bad_request("The Content-Range is malformed")
    return start, end, total


def commit_by_url(world: World, target: Target, request: Request) -> Response:
    """The way out of a failed commit, and how personal drives commit a deferred one (§3.5).

    `PUT` to the folder, with the name and the session's URL.
    """
    drive, parent = target.on(), target.item()
    body = read_json(request)
    base, _, token = str(body.get("@microsoft.graph.sourceUrl", "")).rpartition("/")
    world.expire()
    session = world.sessions.get(token)
    if base != f"{world.content_url}/upload" or session is None or session.drive is not drive:
        raise Problem(400, "notSupported", "The sourceUrl is not that of an upload session")
    if not session.complete or not isinstance(body.get("name"), str):
        raise bad_request("The upload is not complete", inner="uploadSessionIncomplete")
    found = drive.child(parent, body["name"])
    if found is not None:
        check_match(request, drive.etag(found), drive.ctag(found))
    session.conflict = conflict_of(body, request, "fail")
    drive.open_sessions.pop((session.parent_id, session.drive.fold(session.name)), None)
    session.parent_id, session.name = parent.id, body["name"]
    return _commit(world, token, session, request)


def _commit(world: World, token: str, session: Session, request: Request) -> Response:
    """Make an item of what has been received. When that fails, the session lives on, for `commit_by_url`."""
    if session.broken:
        session.complete = False
        raise Problem(412, "resourceModified", "ETag does not match current item's value")
    drive = session.drive
    parent = drive.get(session.parent_id)
    if session.blob is None:
        assert session.draft is not None
        session.blob = session.draft.finish(session.total)
    with drive.lock:
        found = drive.child(parent, session.name)
        if found is not None and not found.placeholder and session.conflict == "fail":
            raise name_taken()
        item, created = drive.store(
            parent,
            session.name,
            session.blob,
            session.conflict,  # type: ignore[arg-type]
            fs_created=session.fs_created,
            fs_modified=session.fs_modified,
        )
    session.stored = True
    world.end_session(token)
    return _stored(world, drive, item, request, created=created)
