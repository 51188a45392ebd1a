"""The hash that stands for nobody."""

from __future__ import annotations

import argon2

from davbridge.auth import hash_password, passwords


def test_nobody_costs_what_somebody_does() -> None:
    """It is made as the hashes of users are, also when the library changes what it recommends."""
    nobody, somebody = (argon2.extract_parameters(one) for one in (passwords.NOBODY, hash_password("x")))
    assert nobody == somebody
