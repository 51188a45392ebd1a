"""Who is this DAV user: HTTP Basic against the users of the configuration. The only importer of argon2."""

from davbridge.auth.gate import Gate
from davbridge.auth.passwords import hash_password, make_password

__all__ = ["Gate", "hash_password", "make_password"]
