"""An emulator for each test, accounts of it, and people who sign in."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from davbridge.accounts import settings
from davbridge.clock import Clock, SystemClock
from davbridge.config.model import Account, Config
from davbridge.emulator import Emulator
from davbridge.tokens import AccountSettings, SignedInAccount, TokenStore, open_account, sign_in
from tests.support.hurry import hurry
from tests.support.world import configuration


@dataclass
class Visitor:
    """Somebody who follows the page in a browser of their own, and pastes where it ends. `shown`: what they read.

    `found`: whether somebody listened where their browser would end.
    """

    ca_file: str
    has_browser: bool = False
    shown: list[str] = field(default_factory=list)
    change: Callable[[str], str] = str
    found: bool = False

    def show(self, text: str) -> None:
        self.shown.append(text)

    def browse(self, address: str) -> bool:
        if self.has_browser:
            page = requests.get(self._end(address), timeout=10)
            assert page.status_code == 200
            assert "close this page" in page.text
        return self.has_browser

    def ask(self, question: str) -> str:
        address = next(text for text in self.shown if "https://" in text).rpartition("\n")[2]
        place = urlsplit(dict(parse_qsl(urlsplit(address).query))["redirect_uri"])
        with socket.socket() as browser:
            self.found = browser.connect_ex(("127.0.0.1", place.port or 80)) == 0
        return self._end(address)

    def _end(self, address: str) -> str:
        answer = requests.get(address, verify=self.ca_file, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return self.change(answer.headers["Location"])


@dataclass
class Place:
    """A bridge's configuration and store over an emulator."""

    emulator: Emulator
    folder: Path
    config: Config
    clock: Clock
    stack: ExitStack

    @property
    def store(self) -> TokenStore:
        return TokenStore(self.folder / "tokens", clock=self.clock)

    def settings(self, **changes: Any) -> AccountSettings:
        """Of the account `contoso`, changed in the configuration."""
        return settings(self.with_(**changes), "contoso")

    def with_(self, **changes: Any) -> Config:
        before = self.config.accounts["contoso"].model_dump(exclude_defaults=True)
        changed = {key: value for key, value in {**before, **changes}.items() if value is not None}
        return self.config.model_copy(update={"accounts": {"contoso": Account.model_validate(changed)}})

    def open(self, **changes: Any) -> SignedInAccount:
        """The account as another process opens it."""
        account = open_account(self.settings(**changes), self.store, self.clock)
        self.stack.callback(account.close)
        return account

    def visitor(self, **options: Any) -> Visitor:
        return Visitor(self.emulator.ca_file, **options)

    def sign_in(self, visitor: Visitor | None = None, *, replace_account: bool = False, **changes: Any) -> str:
        """As `davbridge login`; with a device code unless told otherwise."""
        options = {**PERSON, **changes}
        visitor = visitor or self.visitor()
        return sign_in(self.settings(**options), self.store, self.clock, visitor, replace_account=replace_account)


PERSON = {"sign_in": "device_code", "client_secret": None}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One for each test: it counts, and is changed."""
    with Emulator.start() as running:
        yield running


@pytest.fixture
def place(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The tests' configuration, with an account of the application's own. Whoever waits for a person waits no time."""
    hurry(emulator, monkeypatch)
    with ExitStack() as stack:
        yield Place(emulator, tmp_path, configuration(emulator, tmp_path), SystemClock(), stack)


@dataclass
class Pair:
    """A key and a certificate."""

    key: Any
    certificate: x509.Certificate

    def pem(self, passphrase: bytes | None = None, *, alone: bool = False) -> bytes:
        hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        key = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return bytes(key if alone else self.certificate.public_bytes(serialization.Encoding.PEM) + key)

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()


def make_pair(days: float = 90) -> Pair:
    """A self-signed certificate, as an administrator makes one."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "davbridge")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    return Pair(key, builder.sign(key, hashes.SHA256()))


@pytest.fixture(scope="session")
def pair() -> Pair:
    """A certificate that is good for 90 days."""
    return make_pair()
