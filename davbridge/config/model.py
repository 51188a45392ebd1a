"""What may stand in the YAML, field by field. The names are a contract (docs/configuration.md)."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from davbridge.auth.passwords import is_hash
from davbridge.config.account import Account
from davbridge.config.base import Model, SecretPlace
from davbridge.config.sizes import read_size
from davbridge.edge.addresses import parse_listen
from davbridge.errors import ConfigError


def _addresses(value: Any) -> Any:
    """One address or several, as a list."""
    addresses = value if isinstance(value, list) else [value]
    for one in addresses or [""]:
        try:
            parse_listen(one if isinstance(one, str) else "")
        except ConfigError:
            written = repr(one) if isinstance(one, str | int) and one != "" else "this"
            raise ValueError(
                f"{written} is no address: write host:port (127.0.0.1:8080), [address]:port or unix:/path, or a list"
            ) from None
    return addresses


def _address(value: str) -> str:
    try:
        parse_listen(value)
    except ConfigError:
        raise ValueError(f"{value!r} is no address: write host:port (127.0.0.1:9180)") from None
    return value


def _usual_workers() -> int:
    """As many as the cores that this process may use; more than four seldom find work."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)


def _not_yet(instead: str) -> Any:
    def refuse(value: Any) -> Any:
        if value is not None:
            raise ValueError(f"is not available yet; {instead}")
        return value

    return BeforeValidator(refuse)


def _http_or_https(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError("must be a URL that begins with https:// or http://")
    return value


def _parts(value: str) -> str:
    urlsplit(value)  # ValueError for half an IPv6 address
    return value


class Tls(Model):
    """PEM files of the certificate (with its chain) and its key."""

    certificate: Path
    key: Path


class BehindProxy(Model):
    """A reverse proxy in front: whose word on scheme, host and client is taken, and the address that people use."""

    trusted: list[IPv4Network | IPv6Network] = Field(min_length=1)
    public_url: Annotated[str, AfterValidator(_http_or_https)] | None = None


class Server(Model):
    """Where the bridge listens."""

    listen: Annotated[list[str], BeforeValidator(_addresses)] = Field(default=["127.0.0.1:8080"], min_length=1)
    tls: Tls | None = None
    behind_proxy: BehindProxy | None = None
    workers: int = Field(default_factory=_usual_workers, ge=1, le=32)
    infinite_depth: int = Field(default=0, ge=0)
    metrics: Annotated[str, AfterValidator(_address)] | None = None
    status_page: bool | None = None
    nextcloud_chunks: Annotated[int | None, BeforeValidator(read_size)] = None

    @property
    def addresses(self) -> list[str]:
        """All that is listened on, the metrics' last."""
        return [*self.listen, *([self.metrics] if self.metrics else [])]


class State(Model):
    """Where locks, dead properties, side files and tokens are kept."""

    directory: Path | None = None
    key: SecretPlace | None = None
    redis: Annotated[str | None, _not_yet("use directory")] = None

    def folder(self) -> Path:
        """The folder: as configured, else systemd's $STATE_DIRECTORY, else the user's own."""
        if self.directory:
            return self.directory
        if given := os.environ.get("STATE_DIRECTORY"):
            return Path(given.split(":")[0])
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        return Path(base) / "davbridge"


class Policy(Model):
    """One mount: whose tree, from which folder on, for whom."""

    mount: str
    account: str
    driver: Literal["onedrive", "sharepoint"]
    root: str = "/"
    download: Literal["proxy", "redirect", "auto"] = "auto"
    access: dict[str, Literal["read", "write"]] = Field(default={})
    cache: Annotated[int | None, BeforeValidator(read_size)] = None
    poll: Annotated[float, Field(ge=0, le=60)] = 15.0
    push: bool = True
    user: str | None = None
    site: Annotated[str, AfterValidator(_parts)] | None = None
    library: str | None = None
    drive_id: str | None = None

    @property
    def place(self) -> str:
        """Whose drive, or which site and library, as configured; empty for the signed-in person's own."""
        return ", ".join(part for part in (self.user, self.site, self.library, self.drive_id) if part)

    @field_validator("mount")
    @classmethod
    def _mount_form(cls, value: str) -> str:
        if not value.startswith("/") or value != "/" + value.strip("/") or value == "/" or "//" in value:
            raise ValueError("must be a path such as /me: with a slash before it, none behind it, and not / alone")
        if any(char in value for char in "%?#\\"):
            raise ValueError("may not contain % ? # or \\")
        if any(name in (".", "..") for name in value.split("/")):
            raise ValueError("may not contain . or .. as a name")
        if value.split("/")[1].lower() == ".davbridge":
            raise ValueError("/.davbridge is the bridge's own")
        return value

    @model_validator(mode="after")
    def _fits_driver(self) -> Policy:
        if self.driver == "sharepoint":
            if not (self.site or self.drive_id):
                raise ValueError("driver: sharepoint needs site (any URL of it) or drive_id")
            if self.user:
                raise ValueError("driver: sharepoint takes no user")
        elif self.site or self.library or self.drive_id:
            raise ValueError("driver: onedrive takes no site, library or drive_id")
        return self


class User(Model):
    """Somebody who may come in by DAV, and when `admin` to the status page."""

    password: str
    admin: bool = False

    @field_validator("password")
    @classmethod
    def _hashed(cls, value: str) -> str:
        if not is_hash(value):
            raise ValueError("is not an argon2id hash; make one with `davbridge hash-password`")
        return value


class Config(Model):
    """The whole file."""

    server: Server = Server()
    state: State = State()
    accounts: dict[str, Account] = Field(min_length=1)
    policies: dict[str, Policy] = Field(min_length=1)
    users: dict[str, User] = Field(default={})

    @property
    def shows_status(self) -> bool:
        """Whether there is a status page: with somebody who may see it, unless it was switched off."""
        return self.server.status_page is not False and any(user.admin for user in self.users.values())
