"""Our own certificate as clients see it: for which names, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from davbridge.errors import ConfigError


@dataclass(frozen=True)
class Shown:
    """`names`: DNS names and addresses."""

    names: tuple[str, ...]
    ends: datetime


def shown(file: Path) -> Shown:
    """The first certificate in a PEM file, which is the server's.

    Raises:
        ConfigError: there is none.
    """
    try:
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise ConfigError(f"server.tls: there is no certificate in {file}") from error
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Shown((), certificate.not_valid_after_utc)
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return Shown((*found.get_values_for_type(x509.DNSName), *addresses), certificate.not_valid_after_utc)
