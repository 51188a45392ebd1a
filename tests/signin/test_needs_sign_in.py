"""A sign-in that has ended: what clients see, what the log says, and that a new one is taken at once."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from davbridge.app import build
from davbridge.edge import Limits
from davbridge.emulator.faults import Aadsts, Status
from davbridge.errors import BridgeError, ConfigError, NeedsSignIn
from davbridge.tokens import report
from tests.signin.conftest import PERSON, Place
from tests.support.clock import HastyClock
from tests.support.world import USERS, World


@pytest.fixture
def served(place: Place) -> Iterator[World]:
    """A bridge with a person's account, signed in."""
    config = place.with_(**PERSON)
    policies = {name: one.model_copy(update={"user": None, "push": False}) for name, one in config.policies.items()}
    place.config = config = config.model_copy(update={"policies": policies})
    place.folder = config.state.folder()
    place.sign_in()
    clock = HastyClock()
    bridge = build(config, clock, Limits(threads=16))
    bridge.server.start()
    yield World(place.emulator, bridge, clock, place.folder, f"http://{bridge.server.addresses[0]}")
    bridge.server.drain(5)
    bridge.close()


def end(world: World) -> None:
    """The password was changed: no token and no refresh token is good any more."""
    world.emulator.entra.revoked = True
    for token in world.emulator.world.tokens.values():
        token.good = False


def test_503_for_everybody(served: World, caplog: pytest.LogCaptureFixture) -> None:
    """503 with Retry-After and words that say what to do; one log line for all requests; never 401."""
    served.emulator.drive("business").put("/a.txt", b"x")
    dav = served.dav()
    dav.get("a.txt", check=200)
    end(served)
    served.forget()
    caplog.set_level(logging.INFO)
    with served.emulator.calls.counting() as calls:
        for _ in range(20):
            answer = dav.propfind("a.txt", depth=0, check=503)
            assert int(answer.header("Retry-After")) >= 60
            assert "davbridge login contoso" in answer.text
            assert not answer.header("WWW-Authenticate")
    dav.close()
    told = [record.getMessage() for record in caplog.records if "AADSTS50173" in record.getMessage()]
    assert len(told) == 1
    assert sum(call.operation == "token" for call in calls.calls) == 1


def test_no_upload_is_read(served: World) -> None:
    """A PUT of 100 MB is refused before its body, also a chunked one, and nothing is spooled."""
    dav = served.dav()
    dav.propfind("", depth=1, check=207)
    end(served)
    served.forget()
    dav.propfind("new.txt", depth=0, check=503)  # whoever comes first finds out
    with pytest.raises(BridgeError):
        served.bridge.accounts["contoso"].token()
    for framing in ("Content-Length: 100000000", "Transfer-Encoding: chunked"):
        head = dav_head(served, f"PUT /me/big.bin HTTP/1.1\r\nHost: x\r\n{framing}\r\n")
        assert head.startswith("HTTP/1.1 503")
        assert "retry-after" in head.lower()
    assert not list((served.folder / "spool").iterdir())
    dav.close()
    assert not served.emulator.drive("business").exists("/big.bin")


def dav_head(world: World, start: str) -> str:
    """The answer's header to a request whose body never comes."""
    import base64

    parts = urlsplit(world.http)
    secret = base64.b64encode(f"alice:{USERS['alice']}".encode()).decode()
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"{start}Authorization: Basic {secret}\r\n\r\n".encode())
        return connection.recv(65536).decode()


def test_a_new_sign_in_is_taken_at_once(served: World, place: Place) -> None:
    """`davbridge login` while the bridge runs: the next request works, and an upload goes through."""
    dav = served.dav()
    end(served)
    dav.propfind("", depth=1, check=503)
    assert report(served.bridge.accounts["contoso"]).state == "needs sign-in"
    served.emulator.entra.revoked = False
    place.sign_in()
    dav.put("a.txt", b"again", check=201)
    dav.close()
    assert report(served.bridge.accounts["contoso"]).state == "ok"
    assert (place.folder / "tokens" / "contoso.previous").exists()


def test_50_requests_make_one_refresh(served: World) -> None:
    """All of them hold one token that Graph does not take any more, and all of them succeed."""
    served.emulator.drive("business").put("/a.txt", b"x")
    first = served.dav()
    first.get("a.txt", check=200)
    for token in served.emulator.world.tokens.values():
        token.good = False
    served.forget()
    statuses: list[int] = []

    def ask() -> None:
        dav = served.dav()
        statuses.append(dav.get("a.txt").status)
        dav.close()

    threads = [threading.Thread(target=ask) for _ in range(50)]
    with served.emulator.calls.counting() as calls:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    first.close()
    assert statuses == [200] * 50
    assert sum(call.operation == "token" for call in calls.calls) == 1


def test_a_401_in_mid_operation_is_replayed(served: World) -> None:
    """A token that dies between two fragments of an upload costs the client nothing."""
    dav = served.dav()
    dav.mkcol("d", check=201)
    for token in served.emulator.world.tokens.values():
        token.good = False
    dav.put("d/a.txt", b"x" * 5_000_000, check=201)
    dav.close()
    assert served.emulator.drive("business").read("/d/a.txt") == b"x" * 5_000_000


def test_a_claims_challenge_is_honoured(served: World) -> None:
    """Continuous access evaluation: the token that is asked for anew has the claims that Graph wants."""
    import base64

    dav = served.dav()
    dav.propfind("", depth=1, check=207)
    challenge = b'{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    served.emulator.world.claims_challenge = base64.b64encode(challenge).decode()
    served.forget()
    with served.emulator.calls.counting() as calls:
        dav.propfind("", depth=1, check=207)
    dav.close()
    assert sum(call.operation == "token" for call in calls.calls) == 1


def test_claims_that_need_a_person(served: World, place: Place) -> None:
    """When the refresh is not enough, the next sign-in asks for the claims, too."""
    import base64

    dav = served.dav()
    challenge = b'{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    served.emulator.world.claims_challenge = base64.b64encode(challenge).decode()
    served.emulator.faults.add("token", Aadsts(50076, "interaction_required"))
    dav.propfind("", depth=1, check=503)
    place.sign_in()
    with served.emulator.calls.counting() as calls:
        dav.propfind("", depth=1, check=207)
    dav.close()
    assert not [call for call in calls.calls if call.operation == "token"]


def test_claims_that_entra_wants(place: Place) -> None:
    """A policy that Entra itself tells of is met by the next sign-in."""
    claims = '{"access_token":{"acrs":{"essential":true,"value":"c2"}}}'
    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    place.emulator.faults.add("token", Aadsts(50076, "interaction_required", claims))
    with pytest.raises(NeedsSignIn):
        account.token(refused=token)
    trouble = place.store.peek("contoso").trouble
    assert trouble is not None
    assert trouble.claims == claims
    place.sign_in()
    assert "c2" in place.emulator.world.tokens[account.token().reveal()].claims


def test_an_expired_secret_is_no_flood(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can sign in to mend it, but the log is as quiet, and clients get 503."""
    clock = HastyClock()
    bridge = build(place.config, clock, Limits(threads=8))
    bridge.server.start()
    world = World(place.emulator, bridge, clock, place.folder, f"http://{bridge.server.addresses[0]}")
    place.emulator.world.secret_expired = True
    dav = world.dav()
    for _ in range(20):
        assert dav.propfind("", depth=0, check=503)
    dav.close()
    bridge.server.drain(5)
    bridge.close()
    assert len([record for record in caplog.records if "AADSTS7000222" in record.getMessage()]) == 1


@pytest.mark.parametrize(
    ("policy", "status", "code", "message", "words"),
    [
        ("team", 403, "accessDenied", "Access denied", "Sites.Selected must have been given the site"),
        ("team", 403, "Authorization_RequestDenied", "Insufficient privileges", "lacks a permission"),
        ("team", 400, "BadRequest", "Tenant does not have a SPO license.", "no licence"),
        ("me", 400, "BadRequest", "Tenant does not have a SPO license.", "no licence"),
        ("me", 404, "ResourceNotFound", "User's mysite not found.", "first visit"),
        ("me", 403, "Authorization_RequestDenied", "Insufficient privileges", "lacks a permission"),
    ],
)
def test_what_graph_refuses(served: World, policy: str, status: int, code: str, message: str, words: str) -> None:
    """Permission, licence and a site that was not given to the app are told apart."""
    body = f'{{"error":{{"code":"{code}","message":"{message}"}}}}'.encode()
    served.emulator.faults.add("get drive or site", Status(status, body=body), times=9)
    with pytest.raises(ConfigError, match=words):
        served.bridge.drivers[policy].probe()


def test_days_of_silence(served: World) -> None:
    """Stopped for days and started again: the first request refreshes, and nobody has to do anything."""
    served.emulator.clock.advance(30 * 86400)
    dav = served.dav()
    dav.propfind("", depth=1, check=207)
    dav.close()
