"""App-only sign-in with a certificate: a signed assertion instead of a secret (RFC 7523; facts: Graph §10.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from davbridge.errors import ConfigError
from davbridge.tokens.http import Http
from davbridge.tokens.methods.clients import confidential_client, for_itself
from davbridge.tokens.methods.visitor import Visitor
from davbridge.tokens.settings import AccountSettings, CertificateFiles

needs_person = False


@dataclass(frozen=True)
class KeyPair:
    """The private key as PEM, and what tells Entra which certificate is meant."""

    key: str = field(repr=False)
    certificate: str
    thumbprint: str
    ends: datetime | None


def acquire(settings: AccountSettings, cache: Any, http: Http, claims: str | None) -> Any:
    """With the files as they are now.

    Raises:
        ConfigError: as `read`.
    """
    if settings.certificate is None:
        raise ConfigError(f"account {settings.name!r} needs certificate")
    pair = read(settings.certificate)
    if pair.certificate:
        # MSAL names it by SHA-256 then, and sends it along
        credential = {"private_key": pair.key, "public_certificate": pair.certificate}
    else:
        credential = {"private_key": pair.key, "thumbprint": pair.thumbprint}
    return for_itself(confidential_client(settings, credential, cache, http), settings, claims)


def sign_in(settings: AccountSettings, cache: Any, http: Http, visitor: Visitor, claims: str | None) -> Any:
    """Nobody is needed."""
    return acquire(settings, cache, http, claims)


def read(files: CertificateFiles) -> KeyPair:
    """Key and certificate.

    Raises:
        ConfigError: they cannot be read, do not belong together, or are not the ones of the thumbprint.
    """
    try:
        data = files.file.read_bytes()
        passphrase = files.passphrase().reveal().encode() if files.passphrase else None
    except OSError as error:
        raise ConfigError(f"{files.file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"certificate.passphrase: {error}") from None
    if b"-----BEGIN CERTIFICATE-----" in data and b"PRIVATE KEY-----" not in data:
        raise ConfigError(f"{files.file} has a certificate but no private key: put both into it, one after the other")
    try:
        key, found = _pem(data, passphrase) if b"-----BEGIN" in data else _pfx(data, passphrase)
    except (ValueError, TypeError):
        # cryptography's own words may quote the file
        wrong = "is the passphrase right?" if passphrase else "does it need a passphrase?"
        raise ConfigError(f"{files.file} has no private key that can be read; {wrong}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(f"the key in {files.file} is of a kind that Microsoft does not take: make one with RSA")
    wanted = (files.thumbprint or "").replace(":", "").replace(" ", "").upper()
    if found is None:
        if not wanted:
            raise ConfigError(f"{files.file} has a key but no certificate: add it to the file, or set `thumbprint`")
        return KeyPair(_text(key), "", wanted, None)
    thumbprint = found.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - the portal names certificates so
    if wanted and wanted != thumbprint:
        raise ConfigError(f"{files.file} holds the certificate {thumbprint}, not {wanted} as `thumbprint` says")
    if _spki(found.public_key()) != _spki(key.public_key()):
        raise ConfigError(f"key and certificate in {files.file} do not belong together")
    certificate = found.public_bytes(serialization.Encoding.PEM).decode()
    return KeyPair(_text(key), certificate, thumbprint, found.not_valid_after_utc)


def _pem(data: bytes, passphrase: bytes | None) -> tuple[Any, x509.Certificate | None]:
    found = x509.load_pem_x509_certificates(data)[0] if b"BEGIN CERTIFICATE-----" in data else None
    begin = data.index(b"-----BEGIN", 0) if found is None else _key_start(data)
    return serialization.load_pem_private_key(data[begin:], passphrase), found


def _key_start(data: bytes) -> int:
    """Where the private key begins in a file that may have the certificate first."""
    position = data.index(b"PRIVATE KEY-----")
    return data.rindex(b"-----BEGIN", 0, position)


def _pfx(data: bytes, passphrase: bytes | None) -> tuple[Any, x509.Certificate | None]:
    key, found, _ = pkcs12.load_key_and_certificates(data, passphrase)
    if key is None:
        raise ValueError("no key")
    return key, found


def _text(key: Any) -> str:
    plain = serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return text.decode()


def _spki(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(serialization.Encoding.DER, form)
    return data
