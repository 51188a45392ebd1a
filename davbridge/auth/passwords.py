"""Password hashes: argon2id, made and compared."""

from __future__ import annotations

import secrets
import string

import argon2

_hasher = argon2.PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, three passes
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$POoXUhIQET+OOtGAYdmw/w$sxCTUSPAKTlmc/13cm9xwbCaxeRUxQL4QOJ2qTH2c+I"
"""Of a password that was thrown away, made as `hash_password` makes them: who is no user costs as much time as who is.

Not made here, since that takes 64 MiB and a fifth of a second of each process that starts.
"""


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
        return _hasher.verify(hashed or NOBODY, password) and hashed is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
