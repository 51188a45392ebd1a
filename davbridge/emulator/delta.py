"""Change tracking (§5.1): tokens, pages, tombstones, and 410 for a token that is too old.

An enumeration goes through the changes between two sequences of the drive: the one that the client has seen, and the
drive's own when the enumeration began. What changes meanwhile falls out of it, and is told by the next one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, islice
from urllib.parse import quote, unquote

from davbridge.emulator.addressing import Target
from davbridge.emulator.answers import answer, context
from davbridge.emulator.drives import Drive, Item, Tombstone
from davbridge.emulator.httpd import Request, Response
from davbridge.emulator.items import LARGEST_PAGE, PAGE, selection, shown, with_shortcuts
from davbridge.emulator.problems import Problem, bad_request
from davbridge.emulator.views import Json, tombstone_json
from davbridge.emulator.world import World

PERSONAL_LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class Token:
    """Changes after `since`; in a nextLink also where it stands (`at`), where it ends (`upto`), and its direction."""

    drive: str
    since: int = 0
    at: int = -1
    upto: int = -1
    backwards: bool = False

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(astuple(self)).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, drive: str) -> Token:
        """Raises `Problem` (400) for what no link of this drive has given."""
        try:
            token = cls(*json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (ValueError, TypeError):
            raise bad_request("The delta token is not valid") from None
        if token.drive != drive:
            raise bad_request("The delta token is not valid for this drive")
        return token


def delta(world: World, target: Target, request: Request) -> Response:
    drive, scope = target.on(), target.item()
    if drive.business and scope is not drive.root:
        raise Problem(400, "notSupported", "Delta is only available on the root")
    if not scope.is_folder:
        raise bad_request("The item has no children")
    found = re.fullmatch(r"delta(?:\(token='([^']*)'\)|\(\))?", unquote(target.action))
    if not found:
        raise bad_request("API not found")
    given = found[1] or request.query.get("token", "")
    head = context(request, "Collection(driveItem)")
    with drive.lock:
        token = _begin(world, drive, given, _base(drive, scope, request))
        if token.at < 0 and given == "latest":
            return answer(
                request, 200, {**head, "value": [], "@odata.deltaLink": _link(world, drive, scope, request, token)}
            )
        values, following = _page(world, drive, scope, request, token)
        kind = "@odata.nextLink" if following.at >= 0 else "@odata.deltaLink"
        return answer(request, 200, {**head, "value": values, kind: _link(world, drive, scope, request, following)})


def _base(drive: Drive, scope: Item, request: Request) -> str:
    place = "root" if scope is drive.root else f"items/{scope.id}"
    return f"https://{request.headers.get('host', '')}/v1.0/drives/{drive.id}/{place}/delta"


def _link(world: World, drive: Drive, scope: Item, request: Request, token: Token) -> str:
    """The options of the first call are baked into each link."""
    if token.at < 0:
        drive.tokens_given.setdefault(token.since, world.clock.now())
    kept = "".join(f"&{name}={quote(request.query[name])}" for name in ("$select", "$top") if name in request.query)
    return f"{_base(drive, scope, request)}?token={token.text()}{kept}"


def _begin(world: World, drive: Drive, given: str, base: str) -> Token:
    """Where the enumeration of a token stands.

    Raises:
        Problem: 400 for a token that is none, 410 with the address of a new enumeration for one that is too old.
    """
    if given == "latest":
        return Token(drive.id, drive.sequence)
    if not given:
        return Token(drive.id)
    if re.match(r"\d{4}-\d\d-\d\dT", given):
        return Token(drive.id, _sequence_at(drive, given))
    token = Token.read(given, drive.id)
    age = world.clock.now() - drive.tokens_given.get(token.since, world.clock.now())
    if max(token.since, token.upto) < drive.oldest_token or (not drive.business and age > PERSONAL_LIFETIME):
        inner = drive.resync_code
        raise Problem(410, "resyncRequired", "Resync required.", inner=inner, headers={"Location": base})
    return token


def _sequence_at(drive: Drive, moment: str) -> int:
    """The sequence of the last change before a moment; only SharePoint's backend takes a time for a token."""
    try:
        when = datetime.fromisoformat(moment)
        later = [one.changed for one in drive.items.values() if (one.touched or one.modified) >= when]
    except (ValueError, TypeError):
        raise bad_request("The delta token is not valid") from None
    if not drive.business:
        raise bad_request("The delta token is not valid")
    later += [one.changed for one in drive.tombstones if one.when >= when]
    return min(later, default=drive.sequence + 1) - 1


def _page(world: World, drive: Drive, scope: Item, request: Request, token: Token) -> tuple[list[Json], Token]:
    """A page, and the token behind it: of the next page, or with `at` -1 of the next enumeration."""
    try:
        top = min(int(request.query.get("$top", PAGE)), LARGEST_PAGE)
    except ValueError:
        top = 0
    if top < 1:
        raise bad_request("$top must be a positive number", inner="invalidQueryOption")
    if token.at < 0:
        upto, backwards = drive.sequence, world.quirks.delta_backwards
        token = replace(token, upto=upto, backwards=backwards, at=upto + 1 if backwards else token.since)
        if world.quirks.short_pages and upto > token.since:
            return [], token  # pages can be empty
    changes = _changes(drive, scope, token)
    if not with_shortcuts(request):
        changes = (one for one in changes if one.id not in drive.shortcuts)
    found = list(islice(changes, top + 1))
    page = found[:top]
    values = _told(world, drive, scope, request, token, page)
    if len(found) > top:
        return values, replace(token, at=page[-1].changed)
    return values, Token(drive.id, token.upto)


def _changes(drive: Drive, scope: Item, token: Token) -> Iterator[Item | Tombstone]:
    """What is left of an enumeration, in the order of the last changes or, backwards, against it."""
    first, last = (token.since, token.at - 1) if token.backwards else (token.at, token.upto)

    def when(one: Item | Tombstone) -> int:
        return one.changed

    stored: Iterator[Item | Tombstone] = chain(drive.items.values(), drive.tombstones if token.since else [])
    kept = sorted((one for one in stored if first < one.changed <= last), key=when, reverse=token.backwards)
    crowd: Iterator[Item | Tombstone] = drive.crowd_changes(first, last, backwards=token.backwards)
    for one in merge(kept, crowd, key=when, reverse=token.backwards):
        if scope is drive.root or isinstance(one, Tombstone) or scope in _chain(drive, one, scope):
            yield one


def _chain(drive: Drive, item: Item, scope: Item) -> list[Item]:
    """The item and the folders above it, up to the enumerated one."""
    out = [item]
    while out[-1] is not scope and out[-1].parent_id:
        out.append(drive.parent_of(out[-1]))
    return out


def _told(
    world: World, drive: Drive, scope: Item, request: Request, token: Token, page: list[Item | Tombstone]
) -> list[Json]:
    """Each changed item with the folders above it that the enumeration has not told of yet (§5.1)."""
    select = selection(request)
    alone = request.headers.get("deltaexcludeparent", "").lower() == "true"
    told: set[str] = set()
    out: list[Json] = []
    for one in page:
        if isinstance(one, Tombstone):
            out.append(tombstone_json(drive, one))
            continue
        above = [] if alone else _chain(drive, one, scope)[:0:-1]
        if token.backwards:
            # their own turn comes later, unless they have not changed since the last time
            above = [folder for folder in above if not token.since < folder.changed <= token.upto]
        else:
            above = [folder for folder in above if not token.since < folder.changed < one.changed]
        for item in [one, *above] if token.backwards else [*above, one]:
            if item.id not in told:
                told.add(item.id)
                out.append(_item(world, drive, item, select))
    return out


def _item(world: World, drive: Drive, item: Item, select: set[str] | None) -> Json:
    """Without a path; on business drives without a cTag."""
    body = shown(world, drive, item, select)
    if "parentReference" in body:
        body["parentReference"].pop("path", None)
    if drive.business:
        body.pop("cTag", None)
    return body
