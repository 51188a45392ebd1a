"""Conditional requests: If (RFC 4918 §10.4), If-Match and its kin (RFC 9110 §13), and whose locks stand in the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from davbridge.dav.dates import parse_date
from davbridge.dav.locks import Lock
from davbridge.dav.message import Request, as_sent
from davbridge.dav.refusal import Refusal, locked
from davbridge.drivers.protocol import Item
from davbridge.errors import BadPath, NotFound
from davbridge.paths import DavPath

# no part of it can match the same characters in two ways: a header of spaces must not keep the interpreter busy
_TOKEN = re.compile(r"\s*(?:(\()|(\))|(<[^>]*>)|(\[[^\]]*\])|(Not\b))", re.IGNORECASE)
_MOST_LISTS = 100
"""Each may name another item, and cost a look-up."""


@dataclass(frozen=True)
class Condition:
    """One state token or entity tag, possibly negated."""

    negated: bool
    token: str = ""
    etag: str = ""


@dataclass(frozen=True)
class ConditionList:
    """Conditions that must all hold, for the tagged resource or, with an empty tag, for the request's own."""

    tag: str
    conditions: tuple[Condition, ...]


def parse_if(header: str) -> list[ConditionList]:
    """Read an If header.

    Raises:
        Refusal: 400.
    """
    lists: list[ConditionList] = []
    tag, negated = "", False
    inside: list[Condition] | None = None
    position = 0
    while position < len(header.rstrip()):
        found = _TOKEN.match(header, position)
        if not found:
            raise Refusal(400, "the If header is malformed")
        position = found.end()
        opening, closing, angle, bracket, negation = found.groups()
        if opening and inside is None:
            inside = []
        elif closing and inside:
            lists.append(ConditionList(tag, tuple(inside)))
            inside = None
        elif angle and inside is None:
            tag = angle[1:-1]
        elif angle and inside is not None:
            inside.append(Condition(negated, token=angle[1:-1]))
            negated = False
        elif bracket and inside is not None:
            inside.append(Condition(negated, etag=bare_etag(bracket[1:-1])))
            negated = False
        elif negation and inside is not None:
            negated = True
        else:
            raise Refusal(400, "the If header is malformed")
    if inside is not None or negated or not lists or len(lists) > _MOST_LISTS:
        raise Refusal(400, "the If header is malformed")
    return lists


def bare_etag(text: str) -> str:
    """The tag without quotes; gvfs and others have been seen to send them unquoted. Weak tags keep their `W/`."""
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


def submitted_tokens(request: Request) -> set[str]:
    """The lock tokens that the client shows: those of If, and Word 2016's Lock-Token on a PUT (sabre/dav #980)."""
    tokens: set[str] = set()
    if header := request.header("If"):
        for one in parse_if(header):
            tokens |= {condition.token for condition in one.conditions if condition.token and not condition.negated}
    if header := request.header("Lock-Token"):
        tokens.add(header.strip("<> "))
    return tokens


def check_if(request: Request) -> None:
    """Evaluate the If header: one of its lists must hold.

    Raises:
        Refusal: 412.
    """
    header = request.header("If")
    if not header:
        return
    lists = [one for one in parse_if(header) if not _left_behind(request, one)]
    if lists and not any(_holds(request, one) for one in lists):
        raise Refusal(412, "the If header does not hold")


def _left_behind(request: Request, one: ConditionList) -> bool:
    """Whether davfs2 shows a lock that a MOVE has ended, of something inside the folder that it moves or deletes.

    It takes the locks of files that it has not stored yet along in its memory, where §7.6 leaves them behind, and
    could neither delete nor move the folder again.
    """
    if request.method not in ("DELETE", "MOVE") or not request.agent.startswith("davfs2/"):
        return False
    path = tagged_path(request, one.tag) if one.tag else None
    if path is None or path.folded == request.path.folded or not path.is_within(request.path):
        return False
    tokens = [condition.token for condition in one.conditions if condition.token and not condition.negated]
    return len(tokens) == len(one.conditions) and not any(request.shared.locks.holds(token) for token in tokens)


def _holds(request: Request, one: ConditionList) -> bool:
    path = tagged_path(request, one.tag) if one.tag else request.path
    if path is None:
        return False
    locks = request.shared.locks.covering(request.mount.name, path)
    tokens = {lock.token for lock in locks}
    for condition in one.conditions:
        true = condition.token in tokens if condition.token else condition.etag == _etag(request, path)
        if true == condition.negated:
            return False
    return True


def _etag(request: Request, path: DavPath) -> str:
    try:
        return request.driver.stat(path).etag or "\0"
    except NotFound:
        return "\0"


def tagged_path(request: Request, tag: str) -> DavPath | None:
    """The path of a tag, absolute URL or path; the host is not looked at: proxies rewrite it. None: another mount's."""
    try:
        raw = urlsplit(tag).path if "://" in tag else tag.partition("?")[0]
        path = DavPath.parse(as_sent(raw))
        mount = DavPath.parse(request.mount.path)
    except (BadPath, ValueError):  # ValueError: half an IPv6 address, or not UTF-8
        return None
    return path.relative_to(mount) if path.is_within(mount) else None


def require_unlocked(request: Request, path: DavPath, *, tree: bool = False, member: bool = False) -> None:
    """Refuse when a lock stands in the way of changing `path` and its token was not submitted by its user.

    `tree`: everything below changes too. `member`: `path` appears in or vanishes from its folder, which a lock of depth
    0 on that folder protects (RFC 4918 §7.4).

    Raises:
        Refusal: 423.
    """
    table, mount = request.shared.locks, request.mount.name
    if not table.any(mount):
        return
    groups = [table.covering(mount, path)]
    if tree:
        groups += [[lock] for lock in table.below(mount, path)]
    if member and not path.is_root:
        groups.append(table.own(mount, path.parent))
    tokens = submitted_tokens(request)
    groups = [[lock for lock in group if request.mount.binds(lock)] for group in groups]
    closed = [group for group in groups if group and not any(_opens(request, lock, tokens) for lock in group)]
    if closed:
        raise locked([request.href(lock.path) for group in closed for lock in group])


def _opens(request: Request, lock: Lock, tokens: set[str]) -> bool:
    return lock.token in tokens and lock.user == request.user


def check_preconditions(request: Request, item: Callable[[], Item | None]) -> None:
    """If-Match, If-Unmodified-Since and If-None-Match for a request that changes or reads `item` (RFC 9110 §13.2.2).

    `item` is only called when a header asks.

    Raises:
        Refusal: 412, or 304 for a GET or HEAD whose client has the current version.
    """
    if header := request.header("If-Match"):
        found = item()
        if found is None or not _matches(header, found.etag):
            raise Refusal(412, "the item is not the one that If-Match names")
    elif (header := request.header("If-Unmodified-Since")) and (since := parse_date(header)):
        found = item()
        if found is not None and found.modified > since:
            raise Refusal(412, "the item has changed since")
    reading = request.method in ("GET", "HEAD")
    if header := request.header("If-None-Match"):
        if not (reading or request.method == "PUT"):
            return  # Joplin and iOS put it on everything; RFC 9110 gives it no meaning there
        if not reading and header.strip() != "*" and '"' not in header:
            return
        found = item()
        if found is not None and _matches(header, found.etag, weak=True):
            raise Refusal(304 if reading else 412, "the client has this version")
    elif reading and (header := request.header("If-Modified-Since")) and (since := parse_date(header)):
        found = item()
        if found is not None and found.modified <= since:
            raise Refusal(304, "the client has this version")


def exact_match(request: Request) -> str | None:
    """The one tag of If-Match, or `*`, which a driver compares with what is there at the moment of the change.

    None: there is no If-Match, or one of several tags, which `check_preconditions` compares with what we know.
    """
    header = request.header("If-Match")
    return bare_etag(header) if header and "," not in header and not header.startswith("W/") else None


def _matches(header: str, etag: str, *, weak: bool = False) -> bool:
    if header.strip() == "*":
        return True
    for part in header.split(","):
        tag = part.strip()
        if weak:
            tag = tag.removeprefix("W/")
        if bare_etag(tag) == etag and etag:
            return True
    return False
