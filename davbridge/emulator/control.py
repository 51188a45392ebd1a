"""A plain-HTTP door for other processes: read the calls, plan faults, set quirks, advance the clock, change drives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields

from cryptography.x509 import load_pem_x509_certificate

from davbridge.emulator import faults
from davbridge.emulator.blobs import Blob
from davbridge.emulator.entra import Entra
from davbridge.emulator.httpd import Request, Response, json_response
from davbridge.emulator.storm import Storm
from davbridge.emulator.world import World

_ACTIONS = {
    "status": faults.Status,
    "aadsts": faults.Aadsts,
    "html": faults.Html,
    "reset": faults.Reset,
    "truncate": faults.Truncate,
    "lose answer": faults.LoseAnswer,
    "work then": faults.WorkThen,
    "delay": faults.Delay,
    "garble": faults.Garble,
}


def control_application(world: World, entra: Entra) -> Callable[[Request], Response]:
    """`GET /calls`, `POST /reset`, `POST /fault {operation, action, nth, times, …}`, `POST /quirk`, `POST /advance`.

    `POST /storm {rate, seed}`: so many of the calls go wrong, of 1, at random; `GET /storm`: how many have, by kind.
    `POST /line {latency, rate}`: seconds a request, bytes a second a connection.
    `POST /person {revoked: true, user: ADDRESS}`: no token of a person or app is good any more; who signs in next.
    Of a `drive`: `POST /generate {folders, files_per_folder, fanout}`, `POST /store {folder, names, text}`, and
    `POST /expire`. Of the app registration: `POST /register {certificate: PEM}` or `{federated_token}`.
    """

    def application(request: Request) -> Response:
        try:
            return json_response(_act(world, entra, request))
        except (KeyError, TypeError, ValueError) as error:
            return json_response({"error": str(error)}, 400)

    return application


def _act(world: World, entra: Entra, request: Request) -> object:
    body = json.loads(request.body() or b"{}")
    match request.method, request.path:
        case "GET", "/calls":
            return [asdict(call) for call in world.calls.list()]
        case "POST", "/reset":
            world.calls.clear()
            world.faults.clear()
            world.storm = None
        case "POST", "/fault":
            operation, action = body.pop("operation"), _ACTIONS[body.pop("action")]
            nth, times = body.pop("nth", 1), body.pop("times", 1)
            world.faults.add(operation, action(**body), nth=nth, times=times)
        case "POST", "/storm":
            world.storm = Storm(float(body["rate"]), int(body.get("seed", 0)))
        case "GET", "/storm":
            return world.storm.served if world.storm else {}
        case "POST", "/quirk":
            known = {field.name for field in fields(world.quirks)}
            for name, value in body.items():
                if name not in known:
                    raise KeyError(name)
                setattr(world.quirks, name, value)
        case "POST", "/line":
            world.line.set(float(body["latency"]), float(body["rate"]))
        case "POST", "/advance":
            world.clock.advance(float(body["seconds"]))
        case "POST", "/generate":
            drive = world.drives[body["drive"]]
            drive.generate(drive.root, body["folders"], body["files_per_folder"], body["fanout"], 4096)
        case "POST", "/store":
            drive = world.drives[body["drive"]]
            folder = drive.folder_for(drive.root, [body["folder"]])
            for name in body["names"]:
                drive.store(folder, name, Blob.of(body["text"].encode()), "replace")
        case "POST", "/person":
            world.user = body.get("user", world.user)
            entra.revoked = bool(body.get("revoked", entra.revoked))
            if entra.revoked:
                world.tokens.clear()
        case "POST", "/expire":
            world.drives[body["drive"]].expire()
        case "POST", "/register":
            if "certificate" in body:
                world.certificates.append(load_pem_x509_certificate(body["certificate"].encode()))
            if "federated_token" in body:
                world.federated_tokens.add(body["federated_token"])
        case _:
            raise ValueError(f"there is no {request.method} {request.path}: see python -m davbridge.emulator --help")
    return {}
