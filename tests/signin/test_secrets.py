"""With everything at DEBUG and secrets planted, no log, answer, error or `repr` holds one (law 8; T17)."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator

import pytest

from davbridge import deadline
from davbridge.app import build
from davbridge.clock import SystemClock
from davbridge.edge import Limits
from davbridge.emulator.faults import Aadsts, Html, LoseAnswer, Status
from davbridge.errors import BridgeError
from davbridge.redact import RedactingFilter
from davbridge.tokens import report
from tests.signin.conftest import PERSON, Place
from tests.support.dav import Dav


class Remembering(dict):  # type: ignore[type-arg]
    """Codes that are good once: each is a secret, also when it is gone."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__()
        self._seen = seen

    def __setitem__(self, code: str, value: object) -> None:
        self._seen.add(code)
        super().__setitem__(code, value)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that any library logs, through the handler that the bridge uses."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    before = root.level
    levels = {name: logging.getLogger(name).level for name in ("msal", "urllib3", "wsgidav", "websocket")}
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("changes", [PERSON, {**PERSON, "sign_in": "browser"}, {}], ids=["device", "browser", "secret"])
def test_t17_nothing_leaks(place: Place, lines: io.StringIO, changes: dict[str, object]) -> None:
    """Signing in, refreshing, failing in each way, and serving: what was secret is nowhere."""
    secrets = {place.emulator.client_secret}
    entra = place.emulator.entra
    entra.codes, entra.devices = Remembering(secrets), Remembering(secrets)
    shown: list[str] = []
    config = place.with_(**changes)
    place = Place(place.emulator, config.state.folder(), config, place.clock, place.stack)
    place.sign_in(place.visitor(has_browser=True), **changes)
    account = place.open(**changes)
    token = account.token()
    token = account.token(refused=token, claims='{"access_token":{}}')
    shown += [repr(account), repr(token), str(token), f"{token}", repr(report(account)), repr(account.settings)]
    for fault in (Status(503), Html(200), Html(503), LoseAnswer(), Aadsts(50173), Aadsts(7000215), Aadsts(99999)):
        place.emulator.faults.clear()
        place.emulator.faults.add("token", fault, times=99)
        account.forget()
        try:
            with deadline.within(place.clock, 0.5):
                token = account.token(refused=token)
        except BridgeError as error:
            shown += [str(error), repr(error), traceback.format_exc()]
    place.emulator.faults.clear()
    bridge = build(config, SystemClock(), Limits(threads=4))
    bridge.server.start()
    dav = Dav(f"http://{bridge.server.addresses[0]}", "alice", "secret", "/team/", None)
    dav.put("a.txt", b"x", check=201)
    for known in place.emulator.world.tokens.values():
        known.good = False
    shown.append(dav.get("a.txt").text)
    for known in place.emulator.world.tokens.values():
        known.good = False
    place.emulator.faults.add("token", Aadsts(50173), times=99)
    for driver in bridge.drivers.values():
        driver.forget()
    shown.append(dav.propfind("", depth=1).text)
    dav.close()
    bridge.server.drain(2)
    bridge.close()
    secrets |= set(place.emulator.world.tokens) | set(place.emulator.world.refresh_tokens)
    text = lines.getvalue() + "\n".join(shown)
    assert "DEBUG" in text
    assert len(secrets) > 3
    found = [line for line in text.splitlines() for secret in secrets if secret in line]
    assert not found, found[:3]
    assert "tempauth=" not in text, "a pre-authenticated address"
