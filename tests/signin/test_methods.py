"""Each sign-in method, by the contract that all share, and what is its own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from davbridge.emulator.faults import Status
from davbridge.emulator.identity import APP_SERVICE
from davbridge.emulator.world import TENANT_ID
from davbridge.errors import ConfigError, Forbidden, NeedsSignIn
from davbridge.tokens import CertificateFiles, report
from davbridge.tokens.methods.certificate import read
from tests.signin.conftest import PERSON, Pair, Place, Visitor, make_pair
from tests.signin.method_contract import MethodContract


class TestDeviceCode(MethodContract):
    """A person, on another device."""

    @pytest.fixture
    def changes(self, place: Place) -> dict[str, Any]:
        return PERSON

    def test_public_client_flows_are_off(self, place: Place) -> None:
        """The switch that is off is named (AADSTS7000218)."""
        place.emulator.entra.public_clients = False
        with pytest.raises(ConfigError, match="Allow public client flows"):
            place.sign_in()

    def test_a_bad_answer_while_the_person_types(self, place: Place) -> None:
        """The sign-in goes on: nobody has to begin again."""
        place.emulator.faults.add("token", Status(503), times=2)
        assert place.sign_in() == place.emulator.user

    @pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", TENANT_ID])
    def test_kinds_of_accounts(self, place: Place, tenant: str) -> None:
        """Any account, work and school, personal, one tenant by id."""
        assert place.sign_in(tenant=tenant) == place.emulator.user
        account = place.open(**PERSON, tenant=tenant)
        assert account.token(refused=account.token())
        assert report(account).tenant == TENANT_ID, "the person's own one, whatever was allowed"

    def test_the_code_is_shown(self, place: Place) -> None:
        """The person reads where to go and what to type."""
        visitor = place.visitor()
        assert place.sign_in(visitor) == place.emulator.user
        assert "enter the code" in visitor.shown[0]


class TestBrowser(MethodContract):
    """A person, in a browser on this machine."""

    @pytest.fixture
    def changes(self, place: Place) -> dict[str, Any]:
        return {**PERSON, "sign_in": "browser"}

    def visitor(self, place: Place) -> Visitor:
        return place.visitor(has_browser=True)

    def test_a_headless_host(self, place: Place, changes: dict[str, Any]) -> None:
        """The address at which another machine's browser ends is pasted, with whatever is around it."""
        visitor = place.visitor(change=lambda address: f"  <{address.replace('http://', 'https://')}> ")
        assert place.sign_in(visitor, **changes) == place.emulator.user
        query = parse_qs(urlsplit(visitor.shown[0].rpartition("\n")[2]).query)
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"][0].startswith("http://localhost:")
        assert any("redirect URI http://localhost" in text for text in visitor.shown)
        assert not visitor.found, "a browser on this machine would be told to close the page whose address is needed"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda address: address.replace("state=", "state=x"), "`state` is another one"),
            (lambda address: address.partition("&state")[0], "`state` is another one"),
            (lambda address: "http://localhost/", "is not the address"),
            (lambda address: "http://localhost/?error=access_denied&state=s", "`state` is another one"),
        ],
    )
    def test_another_address_is_refused(self, place: Place, changes: dict[str, Any], change: Any, words: str) -> None:
        """`state` must be ours: else somebody could sign us in as themselves. Nothing of it is in the message."""
        with pytest.raises(Forbidden, match=words) as error:
            place.sign_in(place.visitor(change=change), **changes)
        assert "code=" not in str(error.value).replace("`code=…`", "")
        assert place.store.peek("contoso").cache == ""

    def test_the_person_declines(self, place: Place, changes: dict[str, Any]) -> None:
        """What comes back in place of a code is told as what it is."""

        def declined(address: str) -> str:
            state = parse_qs(urlsplit(address).query)["state"][0]
            told = quote("AADSTS65004: User declined to consent to access the app.")
            return f"http://localhost/?error=access_denied&error_description={told}&state={state}"

        with pytest.raises(NeedsSignIn, match="declined"):
            place.sign_in(place.visitor(change=declined), **changes)

    def test_another_nonce_is_refused(self, place: Place, changes: dict[str, Any]) -> None:
        """An id token that was made for another sign-in is not taken."""

        def other(address: str) -> str:
            for code in place.emulator.entra.codes.values():
                code.nonce = "another"
            return address

        with pytest.raises(Forbidden, match="nonce"):
            place.sign_in(place.visitor(change=other), **changes)

    def test_the_code_is_not_logged(
        self, place: Place, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The listener logs nothing, since its address has the code."""
        caplog.set_level(logging.DEBUG, "davbridge")
        place.sign_in(self.visitor(place), **changes)
        assert "code=" not in "\n".join(
            record.getMessage() for record in caplog.records if record.name.startswith("davbridge")
        )


class TestClientSecret(MethodContract):
    """The application, with a secret."""

    @pytest.fixture
    def changes(self, place: Place) -> dict[str, Any]:
        return {"sign_in": "client_secret", "client_secret": {"file": str(place.folder / "secret")}}

    @pytest.fixture
    def place(self, place: Place, tmp_path: Path) -> Place:
        """The secret's file does not move with the state folder."""
        (tmp_path / "secret").write_text(place.emulator.client_secret)
        return place

    def test_a_new_secret_needs_no_restart(self, place: Place, changes: dict[str, Any]) -> None:
        """The file is read at each refresh."""
        account = place.open(**changes)
        token = account.token()
        place.emulator.world.client_secret = "another"
        with pytest.raises(ConfigError, match="put its Value"):
            account.token(refused=token)
        account.forget()
        (place.folder / "secret").write_text("another\n")
        assert account.token(refused=token) != token

    def test_the_id_of_a_secret(self, place: Place, changes: dict[str, Any]) -> None:
        """The usual mistake is told apart from an expired secret."""
        (place.folder / "secret").write_text("11111111-2222-3333-4444-555555555555")
        with pytest.raises(ConfigError, match="looks like a secret's ID"):
            place.open(**changes).token()
        place.emulator.world.secret_expired = True
        with pytest.raises(ConfigError, match="has expired"):
            place.open(**changes).token()


class TestCertificate(MethodContract):
    """The application, with a certificate in a PEM file."""

    @pytest.fixture
    def changes(self, place: Place, pair: Pair, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "app.pem").write_bytes(pair.pem())
        place.emulator.world.certificates.append(pair.certificate)
        own = {"file": str(tmp_path / "app.pem"), "thumbprint": pair.thumbprint}
        return {"sign_in": "certificate", "client_secret": None, "certificate": own}

    def test_it_is_not_registered(self, place: Place, changes: dict[str, Any]) -> None:
        """AADSTS700027 says what to compare."""
        place.emulator.world.certificates.clear()
        with pytest.raises(ConfigError, match="compare the thumbprints"):
            place.open(**changes).token()


class TestPfx(TestCertificate):
    """… in a PFX file with a passphrase."""

    @pytest.fixture
    def changes(self, place: Place, pair: Pair, tmp_path: Path) -> dict[str, Any]:
        hidden = serialization.BestAvailableEncryption(b"pass phrase")
        data = pkcs12.serialize_key_and_certificates(b"davbridge", pair.key, pair.certificate, None, hidden)
        (tmp_path / "app.pfx").write_bytes(data)
        (tmp_path / "passphrase").write_text("pass phrase\n")
        place.emulator.world.certificates.append(pair.certificate)
        own = {"file": str(tmp_path / "app.pfx"), "passphrase": {"file": str(tmp_path / "passphrase")}}
        return {"sign_in": "certificate", "client_secret": None, "certificate": own}


class TestKeyAlone(TestCertificate):
    """… by its thumbprint alone: the certificate itself is not there."""

    @pytest.fixture
    def changes(self, place: Place, pair: Pair, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "key.pem").write_bytes(pair.pem(alone=True))
        place.emulator.world.certificates.append(pair.certificate)
        own = {"file": str(tmp_path / "key.pem"), "thumbprint": pair.thumbprint}
        return {"sign_in": "certificate", "client_secret": None, "certificate": own}


class TestManagedIdentity(MethodContract):
    """The machine itself, by IMDS."""

    operation = "identity"

    @pytest.fixture
    def changes(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", place.emulator.identity_url)
        return {"sign_in": "managed_identity", "client_secret": None, "tenant": None, "client_id": None}

    def test_a_user_assigned_one(self, place: Place, changes: dict[str, Any]) -> None:
        """Its client id is asked for; an unknown one is refused, and told."""
        place.emulator.world.identities.add("mine")
        assert place.open(**{**changes, "client_id": "mine"}).token()
        with pytest.raises(ConfigError, match="no identity with the client id"):
            place.open(**{**changes, "client_id": "other"}).token()


class TestAppService(TestManagedIdentity):
    """… or by App Service's endpoint."""

    @pytest.fixture
    def changes(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("IDENTITY_ENDPOINT", place.emulator.identity_url + APP_SERVICE)
        monkeypatch.setenv("IDENTITY_HEADER", place.emulator.world.identity_header)
        return {"sign_in": "managed_identity", "client_secret": None, "tenant": None, "client_id": None}

    test_a_user_assigned_one = None  # type: ignore[assignment] - MSAL does not pass App Service's reason on
    test_a_refusal_is_explained = None  # type: ignore[assignment] - as above


class TestWorkloadIdentity(MethodContract):
    """The application, by another provider's token."""

    @pytest.fixture
    def changes(self, place: Place, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "federated").write_text("eyJ.eyJ.one\n")
        place.emulator.world.federated_tokens.add("eyJ.eyJ.one")
        own = {"federated_token_file": str(tmp_path / "federated")}
        return {"sign_in": "workload_identity", "client_secret": None, **own}

    def test_the_file_is_read_each_time(self, place: Place, changes: dict[str, Any], tmp_path: Path) -> None:
        """The platform replaces it: the old one is refused after a while."""
        account = place.open(**changes)
        token = account.token()
        place.emulator.world.federated_tokens = {"eyJ.eyJ.two"}
        (tmp_path / "federated").write_text("eyJ.eyJ.two\n")
        assert account.token(refused=token) != token


def test_certificates_that_cannot_be_used(pair: Pair, tmp_path: Path) -> None:
    """Each mistake has its sentence, and none quotes the file."""
    other = make_pair()
    alone = Pair(other.key, pair.certificate)
    for data, thumbprint, words in [
        (b"nothing", None, "no private key that can be read"),
        (pair.pem(b"hidden"), None, "does it need a passphrase"),
        (pair.pem(alone=True), None, "or set `thumbprint`"),
        (pair.pem(), other.thumbprint, f"holds the certificate {pair.thumbprint}"),
        (alone.pem(), None, "do not belong together"),
        (pair.certificate.public_bytes(serialization.Encoding.PEM), None, "has a certificate but no private key"),
    ]:
        (tmp_path / "x.pem").write_bytes(data)
        with pytest.raises(ConfigError, match=words):
            read(CertificateFiles(tmp_path / "x.pem", thumbprint=thumbprint))
    with pytest.raises(ConfigError, match="cannot be read"):
        read(CertificateFiles(tmp_path / "none.pem"))
