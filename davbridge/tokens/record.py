"""What is kept of an account: MSAL's cache with the refresh token, the last access token, the person, the trouble."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msal

VERSION = 1
_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts."""


@dataclass(frozen=True)
class Grant:
    """An access token. Times are POSIX seconds. `made_for` is the `fingerprint` of the settings."""

    token: str = field(repr=False)
    made_for: str
    scopes: str
    obtained: float
    lifetime: float

    @property
    def renews(self) -> float:
        """When another one should be got: five minutes before the end, or half-way for what lives less than that."""
        return self.obtained + max(self.lifetime - 300.0, self.lifetime / 2)

    @property
    def ends(self) -> float:
        """When it is used no more: a little early, since a request takes its time."""
        return self.obtained + self.lifetime - min(10.0, self.lifetime / 10)


@dataclass(frozen=True)
class Person:
    """Who signed in. `key` tells two accounts of one name apart."""

    name: str
    key: str
    tenant: str


@dataclass(frozen=True)
class Trouble:
    """Why a person is needed. `claims` is what Microsoft wants to be asked for in the next sign-in."""

    message: str
    since: float
    claims: str = ""


@dataclass(frozen=True)
class Record:
    """One account's file, without its seal. `repr` shows no token."""

    cache: str = field(default="", repr=False)
    grant: Grant | None = None
    person: Person | None = None
    trouble: Trouble | None = None
    signed_in: float = 0.0
    refreshed: float = 0.0

    @property
    def cache_object(self) -> msal.SerializableTokenCache:
        """MSAL's cache of its own, to be changed at will."""
        cache = msal.SerializableTokenCache()
        if self.cache:
            cache.deserialize(self.cache)
        return cache

    def with_cache(self, cache: msal.SerializableTokenCache) -> Record:
        """With what must outlive us of MSAL's cache: access tokens are kept in `grant`."""
        content = json.loads(cache.serialize())
        content.pop("AccessToken", None)
        return replace(self, cache=json.dumps(content) if any(content.values()) else "")

    def dump(self) -> bytes:
        return json.dumps({"version": VERSION, **asdict(self)}).encode()


def parse(data: bytes) -> Record:
    """The record in `data`.

    Raises:
        ValueError: it is none, or of a later version.
    """
    content: Any = json.loads(data)
    if not isinstance(content, dict) or content.pop("version", None) != VERSION:
        raise ValueError("not a record of this version")
    kinds = {"grant": Grant, "person": Person, "trouble": Trouble}
    try:
        parts = {name: kind(**content[name]) if content.get(name) else None for name, kind in kinds.items()}
        return Record(**{**content, **parts})
    except TypeError as error:
        raise ValueError(str(error)) from None


def from_msal(serialised: str) -> Record:
    """The record for MSAL's bare cache, as earlier versions stored it.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(json.loads(serialised or "{}"), dict):
        raise ValueError("not a token cache")
    record = Record(cache=serialised)
    return replace(record.with_cache(record.cache_object), person=person_in(record.cache_object))


def person_in(cache: msal.SerializableTokenCache) -> Person | None:
    """Whose account MSAL's cache holds."""
    for entry in cache.search(msal.TokenCache.CredentialType.ACCOUNT):
        name, key = str(entry.get("username", "")), str(entry.get("home_account_id", ""))
        return Person(name or key, key, _tenant(str(entry.get("realm", "")), key))
    return None


def _tenant(realm: str, key: str) -> str:
    """The tenant that somebody belongs to, where the sign-in was for any: it is the second half of MSAL's key."""
    if realm not in ("common", "organizations", "consumers"):
        return realm
    home = key.partition(".")[2]
    return "consumers" if home == _PERSONAL else home or realm
