"""The seal of token files: AES-256-GCM under a key that lies elsewhere where possible (facts: T36).

The key comes from a systemd credential or a file; where nobody has given one it lies beside the token files, mode 0600:
that keeps tokens out of a backup of single files or a careless copy, not from somebody who has the whole folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from davbridge.durable import write_atomically
from davbridge.errors import ConfigError
from davbridge.redact import Secret

CREDENTIAL = "state-key"
"""The systemd credential that is taken without being named in the configuration."""

BESIDE = "key"
"""The file in the folder of the token files, where no other key is given."""

_MAGIC = b"davbridge tokens 1\n"
_NONCE = 12
_SHORTEST = 16


class Unsealable(Exception):
    """The file is sealed with another key, is another account's, or is damaged."""


class Seal:
    """Seals with the first key; opens with any of them, so that a new key takes over file by file."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = [AESGCM(_derived(key)) for key in keys]

    def close(self, account: str, plain: bytes) -> bytes:
        """The sealed bytes; they open for the same account name only."""
        nonce = secrets.token_bytes(_NONCE)
        return _MAGIC + nonce + self._keys[0].encrypt(nonce, plain, _MAGIC + account.encode())

    def open(self, account: str, data: bytes) -> bytes:
        """What was sealed.

        Raises:
            Unsealable.
        """
        if not data.startswith(_MAGIC):
            raise Unsealable("it is no token file of this version")
        nonce, sealed = data[len(_MAGIC) : len(_MAGIC) + _NONCE], data[len(_MAGIC) + _NONCE :]
        for key in self._keys:
            with contextlib.suppress(InvalidTag, ValueError):
                return key.decrypt(nonce, sealed, _MAGIC + account.encode())
        raise Unsealable("it was sealed with another key, or is damaged")


def open_seal(folder: Path, given: Callable[[], Secret] | None = None) -> Seal:
    """The seal for the token files in `folder`: with the configured key, systemd's credential, or the key beside them.

    Raises:
        ConfigError: a key cannot be read, is too short, or can be read by others.
    """
    keys = []
    beside = folder / BESIDE
    if given is not None:
        try:
            keys.append(_long_enough(given(), "state.key"))
        except ValueError as error:
            raise ConfigError(f"state.key: {error}") from None
    elif (credential := Path(os.environ.get("CREDENTIALS_DIRECTORY", "."), CREDENTIAL)).is_absolute():
        with contextlib.suppress(FileNotFoundError):
            keys.append(_long_enough(Secret(credential.read_text("latin-1").strip()), str(credential)))
    if not keys or beside.exists():
        keys.append(_beside(beside))
    return Seal(keys)


def owner_of(folder: Path) -> tuple[int, int] | None:
    """Whose a file in `folder` must be: with `sudo davbridge login` the service could not read it. None: ours."""
    if os.geteuid() != 0:
        return None
    state = folder.stat()
    return state.st_uid, state.st_gid


def _derived(key: Secret) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, b"davbridge token file").derive(key.reveal().encode())


def _long_enough(key: Secret, where: str) -> Secret:
    if len(key.reveal()) < _SHORTEST:
        raise ConfigError(f"{where}: the key is too short; make one with `openssl rand -base64 32`")
    return key


def _beside(path: Path) -> Secret:
    """The key in the folder, made when it is missing: by one process, whole, or not at all."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others: `chmod 600 {path}`, and sign in again if it was read")
        return _long_enough(Secret(path.read_text("latin-1").strip()), str(path))
    except OSError as error:
        raise ConfigError(f"the key {path} cannot be used: {error.strerror}") from error


def _make(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # one process makes it, however many start at once
        for stray in path.parent.glob(f".{path.name}.*.tmp"):
            stray.unlink(missing_ok=True)  # left by a process that was killed
        if not path.exists():
            write_atomically(path, secrets.token_urlsafe(32).encode() + b"\n", owner=owner_of(path.parent))
    finally:
        os.close(folder)
