"""A plain-HTTP door for other processes: read the calls, plan faults, set quirks, advance the clock, change drives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, get_type_hints

from cryptography.x509 import load_pem_x509_certificate

from davbridge.emulator.blobs import Blob
from davbridge.emulator.drives import Drive
from davbridge.emulator.entra import Entra
from davbridge.emulator.faults import ACTIONS
from davbridge.emulator.httpd import Request, Response, json_response
from davbridge.emulator.named import arguments, checked, pick
from davbridge.emulator.quirks import Quirks
from davbridge.emulator.storm import Storm
from davbridge.emulator.world import World


@dataclass(frozen=True)
class Room:
    """What is behind the door."""

    world: World
    entra: Entra

    def drive(self, name: str) -> Drive:
        """Raises ValueError."""
        return pick("drive", name, self.world.drives)


def control_application(world: World, entra: Entra) -> Callable[[Request], Response]:
    """`ROUTES`, with JSON bodies and answers; 400 with a sentence, `{"error": …}`, for what is not one of them."""
    room = Room(world, entra)

    def application(request: Request) -> Response:
        try:
            return json_response(_act(room, request))
        except ValueError as error:
            return json_response({"error": str(error)}, 400)

    return application


def _act(room: Room, request: Request) -> object:
    where = f"{request.method} {request.path}"
    if where not in ROUTES:
        raise ValueError(f"there is no {where}, but {', '.join(ROUTES)}: see python -m davbridge.emulator --help")
    try:
        body = json.loads(request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ValueError(f"the body of {where} is a JSON object")
    handler = ROUTES[where]
    answer = handler(room, **arguments(where, handler, body))
    return {} if answer is None else answer


def _calls(room: Room) -> object:
    """Every call so far, in order."""
    return [asdict(call) for call in room.world.calls.list()]


def _reset(room: Room) -> None:
    """Forget the calls, the faults that are planned, and the storm."""
    room.world.calls.clear()
    room.world.faults.clear()
    room.world.storm = None


def _fault(room: Room, *, operation: str, action: str, nth: int = 1, times: int = 1, **fields: object) -> None:
    """Let an action hit the nth call of an operation from now on, and the times - 1 calls after it."""
    kind = pick("action", action, ACTIONS)
    room.world.faults.add(operation, kind(**arguments(f"the action {action!r}", kind, fields)), nth=nth, times=times)


def _storm(room: Room, *, rate: float, seed: int = 0) -> None:
    """So many of the calls go wrong at random: rate is between 0 and 1."""
    room.world.storm = Storm(rate, seed)


def _stormed(room: Room) -> object:
    """How many calls the storm has hit, by operation and kind."""
    return room.world.storm.served if room.world.storm else {}


def _quirk(room: Room, **quirks: object) -> None:
    """Set one or more of the quirks: {"listing_lag": 2}."""
    hints = get_type_hints(Quirks)
    wanted = {name: checked(name, value, pick("quirk", name, hints)) for name, value in quirks.items()}
    for name, value in wanted.items():
        setattr(room.world.quirks, name, value)


def _line(room: Room, *, latency: float, rate: float) -> None:
    """How far away Graph is: seconds a request, bytes a second a connection (0: no limit)."""
    room.world.line.set(latency, rate)


def _advance(room: Room, *, seconds: float) -> None:
    """Let time pass."""
    room.world.clock.advance(seconds)


def _generate(room: Room, *, drive: str, folders: int, files_per_folder: int, fanout: int) -> None:
    """Let so many folders and files appear in a drive; fanout folders lie in a folder (0: all side by side)."""
    place = room.drive(drive)
    place.generate(place.root, folders, files_per_folder, fanout, 4096)


def _store(room: Room, *, drive: str, folder: str, names: list[Any], text: str) -> None:
    """Files with this text in a folder of a drive's root."""
    place = room.drive(drive)
    parent = place.folder_for(place.root, [folder])
    for name in names:
        place.store(parent, str(name), Blob.of(text.encode()), "replace")


def _expire(room: Room, *, drive: str) -> None:
    """Let every delta token of a drive be too old."""
    room.drive(drive).expire()


def _person(room: Room, *, user: str = "", revoked: bool | None = None) -> None:
    """Who signs in next; revoked: no token of a person or app is good any more."""
    room.world.user = user or room.world.user
    room.entra.revoked = room.entra.revoked if revoked is None else revoked
    if room.entra.revoked:
        room.world.tokens.clear()


def _register(room: Room, *, certificate: str = "", federated_token: str = "") -> None:
    """Make a certificate (PEM) or a federated token known to the app registration."""
    if certificate:
        room.world.certificates.append(load_pem_x509_certificate(certificate.encode()))
    if federated_token:
        room.world.federated_tokens.add(federated_token)


ROUTES: dict[str, Callable[..., object]] = {
    "GET /calls": _calls,
    "POST /reset": _reset,
    "POST /fault": _fault,
    "POST /storm": _storm,
    "GET /storm": _stormed,
    "POST /quirk": _quirk,
    "POST /line": _line,
    "POST /advance": _advance,
    "POST /generate": _generate,
    "POST /store": _store,
    "POST /expire": _expire,
    "POST /person": _person,
    "POST /register": _register,
}
