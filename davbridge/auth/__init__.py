"""Who is this DAV user: HTTP Basic against the users of the configuration. The only importer of argon2."""

from davbridge.auth.gate import Gate, Passwords, TooManyGuesses
from davbridge.auth.passwords import hash_password, make_password

__all__ = ["Gate", "Passwords", "TooManyGuesses", "hash_password", "make_password"]
