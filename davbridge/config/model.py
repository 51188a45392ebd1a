"""What may stand in the YAML, field by field. The names are a contract (docs/configuration.md)."""

from __future__ import annotations

import os
import re
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from davbridge.auth.passwords import is_hash
from davbridge.edge.addresses import parse_listen
from davbridge.errors import ConfigError
from davbridge.redact import Secret


class Model(BaseModel):
    """Frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


def _https(value: str) -> str:
    if urlsplit(value).scheme != "https" or not urlsplit(value).hostname:
        raise ValueError("must be a URL that begins with https://")
    return value.rstrip("/")


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


def _thumbprint(value: str | None) -> str | None:
    digits = (value or "").replace(":", "").replace(" ", "")
    if value is not None and not re.fullmatch("[0-9A-Fa-f]{40}", digits):
        raise ValueError("is the certificate's SHA-1 in hex, 40 digits, as the portal shows it")
    return digits.upper() or None


def _scope(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]+(\.[A-Za-z]+)+", value):
        raise ValueError("is no permission of Graph: write Files.ReadWrite.All, Sites.Selected and the like")
    return value


HttpsUrl = Annotated[str, AfterValidator(_https)]


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

    @property
    def addresses(self) -> list[str]:
        """All that is listened on, the metrics' last."""
        return [*self.listen, *([self.metrics] if self.metrics else [])]


class SecretPlace(Model):
    """Where a secret is: in a file, an environment variable, or a systemd credential. Never the value itself."""

    file: Path | None = None
    env: str | None = None
    credential: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_value(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("takes no secret itself; write {file: PATH}, {env: NAME} or {credential: NAME}")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SecretPlace:
        if sum(place is not None for place in (self.file, self.env, self.credential)) != 1:
            raise ValueError("needs exactly one of file, env and credential")
        return self

    def read(self) -> Secret:
        """The secret.

        Raises:
            ValueError: it is not there, or empty; the message names the place.
        """
        if self.env is not None:
            value, where = os.environ.get(self.env, ""), f"the environment variable {self.env}"
        else:
            folder = Path(os.environ.get("CREDENTIALS_DIRECTORY", "."))
            path = self.file or folder / str(self.credential)
            where = str(path)
            try:
                value = path.read_text("utf-8").strip()
            except OSError as error:
                raise ValueError(f"{where} cannot be read: {error.strerror}") from None
        if not value:
            raise ValueError(f"{where} is empty or not set")
        return Secret(value)


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


class Cloud(Model):
    """A Microsoft cloud: the base URLs of Graph and of the sign-in, and a CA file for private ones."""

    graph: HttpsUrl
    login: HttpsUrl
    ca_file: Path | None = None

    @property
    def graph_base(self) -> str:
        """With the API version."""
        return self.graph if urlsplit(self.graph).path else f"{self.graph}/v1.0"

    @property
    def graph_origin(self) -> str:
        parts = urlsplit(self.graph)
        return f"{parts.scheme}://{parts.netloc}"


CLOUDS = {
    "global": Cloud(graph="https://graph.microsoft.com", login="https://login.microsoftonline.com"),
    "us_gov": Cloud(graph="https://graph.microsoft.us", login="https://login.microsoftonline.us"),
    "us_gov_dod": Cloud(graph="https://dod-graph.microsoft.us", login="https://login.microsoftonline.us"),
    "china": Cloud(graph="https://microsoftgraph.chinacloudapi.cn", login="https://login.chinacloudapi.cn"),
}


class Certificate(Model):
    """A PEM file with key and certificate, or a PFX; `thumbprint` for a PEM that has the key alone."""

    file: Path
    passphrase: SecretPlace | None = None
    thumbprint: Annotated[str | None, AfterValidator(_thumbprint)] = None


SignIn = Literal["device_code", "browser", "client_secret", "certificate", "managed_identity", "workload_identity"]
_PERSONAL = ("device_code", "browser")
_OWN_KEY = {
    "client_secret": "client_secret",
    "certificate": "certificate",
    "workload_identity": "federated_token_file",
}
"""The key that goes with one way to sign in and with no other."""


class Account(Model):
    """A Microsoft identity."""

    sign_in: SignIn
    tenant: str = Field(default="", validate_default=True)
    client_id: str = Field(default="", validate_default=True)
    client_secret: SecretPlace | None = None
    secret_expires: date | None = None
    certificate: Certificate | None = None
    federated_token_file: Path | None = Field(default=None, validate_default=True)
    scopes: list[Annotated[str, AfterValidator(_scope)]] = []
    cloud: Literal["global", "us_gov", "us_gov_dod", "china"] | Cloud = "global"

    @field_validator("cloud", mode="before")
    @classmethod
    def _known_cloud(cls, value: Any) -> Any:
        if not isinstance(value, dict | Cloud) and value not in CLOUDS:
            raise ValueError(f"must be {', '.join(CLOUDS)}, or {{graph: https://…, login: https://…}}")
        return value

    @field_validator("sign_in", mode="before")
    @classmethod
    def _known_method(cls, value: Any) -> Any:
        known = get_args(SignIn)
        if value not in known:
            raise ValueError(f"must be {', '.join(known[:-1])} or {known[-1]}")
        return value

    @field_validator("tenant", "client_id")
    @classmethod
    def _there(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("sign_in") != "managed_identity":
            raise ValueError("the key is missing")
        return value

    @field_validator("federated_token_file")
    @classmethod
    def _from_environment(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        given = os.environ.get("AZURE_FEDERATED_TOKEN_FILE")
        if value is None and given and info.data.get("sign_in") == "workload_identity":
            return Path(given)  # what Kubernetes sets
        return value

    @model_validator(mode="after")
    def _fits_method(self) -> Account:
        for method, key in _OWN_KEY.items():
            if (self.sign_in == method) != (getattr(self, key) is not None):
                needs = "needs" if self.sign_in == method else "takes no"
                raise ValueError(f"sign_in: {self.sign_in} {needs} {key}")
        if self.secret_expires is not None and self.client_secret is None:
            raise ValueError("secret_expires belongs to client_secret")
        if self.sign_in == "managed_identity":
            if self.tenant:
                raise ValueError("sign_in: managed_identity takes no tenant: the machine's own counts")
            return self
        if self.sign_in in _PERSONAL:
            return self
        if self.scopes:
            raise ValueError(f"sign_in: {self.sign_in} takes no scopes: an administrator grants them to the app")
        if self.tenant == "consumers":
            raise ValueError(f"personal accounts need a person: sign_in: {self.sign_in} cannot reach them")
        if self.tenant in ("common", "organizations"):
            raise ValueError(f"sign_in: {self.sign_in} needs one tenant by name or id, not {self.tenant}")
        return self

    @model_validator(mode="after")
    def _fits_cloud(self) -> Account:
        if self.tenant == "consumers" and self.cloud in ("us_gov", "us_gov_dod", "china"):
            raise ValueError("personal accounts exist in the global cloud only")
        return self

    @property
    def where(self) -> Cloud:
        """The cloud with its addresses."""
        return CLOUDS[self.cloud] if isinstance(self.cloud, str) else self.cloud


class Policy(Model):
    """One mount: whose tree, from which folder on, for whom."""

    mount: str
    account: str
    driver: Literal["onedrive", "sharepoint"]
    root: str = "/"
    download: Literal["proxy", "redirect", "auto"] = "auto"
    access: dict[str, Literal["read", "write"]] = {}
    poll: Annotated[float, Field(ge=0, le=60)] = 15.0
    push: bool = True
    user: str | None = None
    site: Annotated[str, AfterValidator(_parts)] | None = None
    library: str | None = None
    drive_id: str | None = None

    @field_validator("mount")
    @classmethod
    def _mount_form(cls, value: str) -> str:
        if not value.startswith("/") or value != "/" + value.strip("/") or value == "/" or "//" in value:
            raise ValueError("must be a path such as /me: with a slash before it, none behind it, and not / alone")
        if any(char in value for char in "%?#\\"):
            raise ValueError("may not contain % ? # or \\")
        if any(name in (".", "..") for name in value.split("/")):
            raise ValueError("may not contain . or .. as a name")
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
    """Somebody who may come in by DAV."""

    password: str

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
    users: dict[str, User] = {}
