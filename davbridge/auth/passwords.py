"""Password hashes: argon2id, made and compared."""

from __future__ import annotations

import secrets
import string

import argon2

_hasher = argon2.PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, three passes
# somebody who is not a user must cost the same time as somebody who is
_NOBODY = _hasher.hash("nobody")


def hash_password(password: str) -> str:
    """The argon2id hash for the configuration, with its own salt and parameters."""
    return _hasher.hash(password)


def make_password() -> str:
    """Sixteen letters and digits: 95 bits, and nothing that a shell or a program takes for something else.

    A dash before it would make an option of it, as in `rclone obscure -x…`.
    """
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))


def is_hash(text: str) -> bool:
    """Whether it is an argon2id hash that we can compare with."""
    try:
        return argon2.extract_parameters(text).type is argon2.Type.ID
    except argon2.exceptions.InvalidHashError:
        return False


def verify(hashed: str | None, password: str) -> bool:
    """Compare; None stands for a user that does not exist, and takes as long."""
    try:
        return _hasher.verify(hashed or _NOBODY, password) and hashed is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
