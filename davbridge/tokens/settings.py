"""How an account signs in: everything that the token layer is told about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from davbridge.redact import Secret

SignInMethod = Literal[
    "device_code", "browser", "client_secret", "certificate", "managed_identity", "workload_identity"
]


@dataclass(frozen=True)
class CertificateFiles:
    """A PEM file with key and certificate, or a PFX. `thumbprint` (SHA-1, hex) for a PEM that has the key alone."""

    file: Path
    passphrase: Callable[[], Secret] | None = None
    thumbprint: str | None = None


@dataclass(frozen=True)
class AccountSettings:
    """`authority` is the full URL with the tenant; `scopes` hold the Graph host.

    Secrets are read whenever they are sent, so that a new one needs no restart. `secret_expires` is what the person
    who made the secret was told; nothing else knows it.
    """

    name: str
    client_id: str
    authority: str
    scopes: tuple[str, ...]
    method: SignInMethod
    client_secret: Callable[[], Secret] | None = None
    secret_expires: date | None = None
    certificate: CertificateFiles | None = None
    federated_token_file: Path | None = None
    instance_discovery: bool = True
    verify: str | bool = True

    @property
    def fingerprint(self) -> str:
        """What a stored token must have been got with to be of use; no secret is in it."""
        return " ".join((self.method, self.authority.lower(), self.client_id.lower(), *sorted(self.scopes)))

    @property
    def tenant(self) -> str:
        return self.authority.rpartition("/")[2]
