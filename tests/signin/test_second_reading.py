"""What a second reader of the sign-in layer found: each was broken once."""

from __future__ import annotations

import base64
import http.server
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from davbridge import deadline
from davbridge.clock import SystemClock
from davbridge.emulator.faults import Delay, Html, Status, Truncate
from davbridge.errors import BadUpstream, Busy, ConfigError, NeedsSignIn
from davbridge.graph.drives import get_drive
from davbridge.redact import Secret, redact
from davbridge.tokens import CertificateFiles, TokenStore, open_account, report
from davbridge.tokens.http import Http, Nonsense
from davbridge.tokens.methods.certificate import read
from tests.signin.conftest import PERSON, Place
from tests.signin.test_needs_sign_in import served

__all__ = ["served"]


def test_a_login_while_the_token_is_good(place: Place) -> None:
    """The bridge goes over to the new sign-in with the next request, not when the old token ends hours later."""
    place.sign_in()
    account = place.open(**PERSON)
    before = account.token()
    assert account.token() == before
    place.emulator.world.user = "mallory@contoso.onmicrosoft.com"
    place.sign_in(replace_account=True)
    after = account.token()
    assert after != before
    assert place.emulator.world.tokens[after.reveal()].user == "mallory@contoso.onmicrosoft.com"


def test_a_refresh_elsewhere_changes_nothing(place: Place) -> None:
    """A file that another process has written for the same sign-in takes no good token away."""
    place.sign_in()
    one, two = place.open(**PERSON), place.open(**PERSON)
    token = one.token()
    two.renew()
    with place.emulator.calls.counting() as calls:
        assert one.token() == token
    assert not calls.calls


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_sign_in(place: Place, status: int) -> None:
    """It is no refusal: nobody has to sign in, and Microsoft is left alone for as long as it has asked for."""
    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    place.emulator.faults.add("token", Status(status, retry_after=60), times=99)
    with place.emulator.calls.counting() as calls:
        for _ in range(5):
            with deadline.within(place.clock, 5), pytest.raises(Busy) as error:
                account.token(refused=token)
            assert not isinstance(error.value, NeedsSignIn)
            assert error.value.retry_after == 60
    assert sum(call.operation == "token" for call in calls.calls) == 1
    assert place.store.peek("contoso").trouble is None


def test_a_short_pause_is_waited_for(place: Place) -> None:
    """Microsoft's second is a second, and then the request goes on."""
    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    place.emulator.faults.add("token", Status(429, retry_after=1))
    begin = time.monotonic()
    assert account.token(refused=token) != token
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize(
    "fault", [Status(429), Status(408), Html(200), Html(429), Status(400, body=b"{}"), Truncate(60)]
)
def test_a_bad_answer_while_the_person_types(place: Place, fault: Any) -> None:
    """Whatever a gateway says in between, nobody has to begin again."""
    place.emulator.faults.add("token", fault)
    assert place.sign_in() == place.emulator.user


@pytest.mark.parametrize("fault", [Html(200), Status(400, body=b"{}"), Truncate(60)])
def test_nonsense_is_not_logged(place: Place, fault: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be read may be half a token: MSAL, which logs it as an error, does not see it."""
    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    place.emulator.faults.add("token", fault, times=99)
    with deadline.within(place.clock, 0.1), pytest.raises(BadUpstream):
        account.token(refused=token)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends everybody elsewhere, and remembers who came there."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Nothing."""


@pytest.fixture
def redirecting() -> Iterator[http.server.HTTPServer]:
    """A server that redirects."""
    with http.server.HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_t16_a_secret_follows_no_redirect(redirecting: http.server.HTTPServer) -> None:
    """A 307 would have the client secret or the refresh token sent again, to whatever host it names."""
    session = Http(True, SystemClock())
    with pytest.raises(Nonsense):
        session.post(f"http://127.0.0.1:{redirecting.server_address[1]}/token", data={"client_secret": "planted"})
    session.close()
    assert redirecting.seen == ["/token"]  # type: ignore[attr-defined]


def test_a_renewal_does_not_eat_the_requests_time(place: Place) -> None:
    """A sign-in service that hangs is no reason to fail a request whose token is good."""
    place.emulator.entra.token_seconds = 30
    place.sign_in()
    with place.store.locked("contoso", patience=1) as file:
        record = file.read()
        assert record.grant is not None
        file.write(replace(record, grant=replace(record.grant, obtained=record.grant.obtained - 20)))
    account = place.open(**PERSON)
    token = account.token()  # adopted: it would be renewed with the next request
    place.emulator.faults.add("discovery", Delay(9), times=9)
    with deadline.within(place.clock, 6) as limit:
        assert account.token() == token
        assert limit.remaining() > 1


def test_a_challenge_that_crosses_a_refresh(served: Any, place: Place) -> None:
    """A token that another process got without the claims is replaced, too: the request does not fail."""
    account = served.bridge.accounts["contoso"]
    graph = served.bridge.drivers["me"]._graph
    drive = served.emulator.drive("business").id
    get_drive(graph, drive)
    place.open(**PERSON).renew()
    challenge = b'{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    served.emulator.world.claims_challenge = base64.b64encode(challenge).decode()
    assert get_drive(graph, drive).id == drive
    assert "1604106651" in served.emulator.world.tokens[account.token().reveal()].claims


def test_a_refresh_that_cannot_be_stored(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk is full, the new refresh token is used from memory, and stored once there is room."""
    place.emulator.entra.rotates = True
    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    with monkeypatch.context() as full:
        full.setattr("davbridge.tokens.store.write_atomically", _full)
        token = account.token(refused=token)
        token = account.token(refused=token)
    token = account.token(refused=token)
    assert place.emulator.entra.reused == 0
    assert place.open(**PERSON).token() == token


def _full(*arguments: object, **options: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("damage", ["mode", "key"])
def test_a_file_that_cannot_be_used(place: Place, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """One line, not one for each request, and once it is mended the bridge goes on by itself."""
    place.sign_in()
    key, tokens = place.folder / "tokens" / "key", place.folder / "tokens" / "contoso.tokens"
    good = key.read_text()
    if damage == "mode":
        tokens.chmod(0o644)
    else:
        key.write_text("k" * 40)
    account = place.open(**PERSON)
    for _ in range(20):
        with pytest.raises((ConfigError, Busy)) as error:
            account.token()
        if isinstance(error.value, ConfigError):
            logging.getLogger("davbridge.dav.failure").error("%s", error.value)  # as the DAV layer does
    assert len(caplog.records) == 1
    tokens.chmod(0o600)
    key.write_text(good)
    assert account._refusal is not None
    account._refusal = replace(account._refusal, until=0.0)  # half a minute later
    assert account.token()


def test_a_wrong_secret_is_one_line(place: Place) -> None:
    """Found out anew each half minute, and told once: a ConfigError is logged by whoever gets it."""
    place.emulator.world.secret_expired = True
    account = place.open()
    told: list[type[Exception]] = []
    for _ in range(5):
        with pytest.raises((ConfigError, Busy)) as error:
            account.token()
        told.append(error.type)
        assert account._refusal is not None
        account._refusal = replace(account._refusal, until=0.0)
    assert told == [ConfigError, *[Busy] * 4]
    assert "AADSTS7000222" in str(error.value)


def test_an_expired_secret_is_reported(place: Place) -> None:
    """`status` does not call an account well whose secret was just refused."""
    place.emulator.world.secret_expired = True
    account = place.open()
    with pytest.raises(ConfigError):
        account.token()
    told = report(account)
    assert told.state == "unusable"
    assert "AADSTS7000222" in told.message


def test_a_key_that_is_replaced_while_the_bridge_runs(tmp_path: Path) -> None:
    """A `login` with the new key is read by a bridge that was started with the old one."""
    keys = ["o" * 40]
    bridge = TokenStore(tmp_path, key=lambda: Secret(keys[0]))
    with bridge.locked("a", patience=1) as file:
        file.write(file.read())
    keys[0] = "n" * 40
    with TokenStore(tmp_path, key=lambda: Secret("n" * 40)).locked("a", patience=1) as file:
        file.write(replace(bridge_record(), signed_in=5.0), keep=True)
    assert bridge.peek("a").signed_in == 5.0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_a_login_as_root(tmp_path: Path) -> None:
    """`sudo davbridge login` leaves no file that the service's own user cannot read."""
    folder = tmp_path / "tokens"
    folder.mkdir(0o700)
    os.chown(folder, 1234, 4321)
    with TokenStore(folder).locked("a", patience=1) as file:
        file.write(bridge_record(), keep=True)
        file.write(bridge_record(), keep=True)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}
    assert owners == dict.fromkeys(("a.lock", "a.tokens", "a.previous", "key"), (1234, 4321))


def test_a_key_that_was_cut_off(tmp_path: Path) -> None:
    """What a process left that was killed while it made the key goes away with the next key."""
    (tmp_path / ".key.0123456789ab.tmp").write_text("half")
    with TokenStore(tmp_path).locked("a", patience=1) as file:
        file.write(bridge_record())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lock", "a.tokens", "key"]


def bridge_record() -> Any:
    """An empty record."""
    from davbridge.tokens.record import Record

    return Record()


def test_claims_are_kept_when_the_trouble_is_known(place: Place) -> None:
    """A challenge that comes after the trouble was told is met by the next sign-in all the same."""
    from davbridge.emulator.faults import Aadsts

    place.sign_in()
    account = place.open(**PERSON)
    token = account.token()
    place.emulator.faults.add("token", Aadsts(50076, "interaction_required"), times=2)
    with pytest.raises(NeedsSignIn):
        account.token(refused=token)
    other = open_account(place.settings(**PERSON), place.store, place.clock)
    with pytest.raises(NeedsSignIn):
        other.token(refused=token, claims='{"access_token":{"acrs":{"value":"c1"}}}')
    other.close()
    trouble = place.store.peek("contoso").trouble
    assert trouble is not None
    assert "c1" in trouble.claims


def test_a_key_that_entra_does_not_take(tmp_path: Path, pair: Any) -> None:
    """Certificates must have RSA keys: another kind is told, and is no crash."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = pair.certificate
    builder = x509.CertificateBuilder().subject_name(made.subject).issuer_name(made.subject).serial_number(1)
    builder = builder.not_valid_before(made.not_valid_before_utc).not_valid_after(made.not_valid_after_utc)
    certificate = builder.public_key(key.public_key()).sign(key, hashes.SHA256())
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "x.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + plain)
    with pytest.raises(ConfigError, match="RSA"):
        read(CertificateFiles(tmp_path / "x.pem"))


@pytest.mark.parametrize(
    "text",
    [
        "{'refresh_token': '0.Rplanted', 'x': 1}",
        '{"refresh_token": "0.Rplanted"}',
        "client_assertion=planted&x=1",
        "{'code_verifier': 'planted'}",
        "POST body client_secret=planted",
    ],
)
def test_t17_what_libraries_print(text: str) -> None:
    """Forms, JSON, and dictionaries as Python shows them."""
    assert "planted" not in redact(text)
