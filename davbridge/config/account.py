"""Microsoft identities in the YAML: who signs in, how, and in which cloud."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from davbridge.config.base import Model, SecretPlace
from davbridge.tokens import METHODS, SignInMethod


def _https(value: str) -> str:
    if urlsplit(value).scheme != "https" or not urlsplit(value).hostname:
        raise ValueError("must be a URL that begins with https://")
    return value.rstrip("/")


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

    @property
    def verify(self) -> str | bool:
        """What its certificates are verified with, as `requests` takes it."""
        return str(self.ca_file) if self.ca_file else True


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


_OWN_KEY = {
    "client_secret": "client_secret",
    "certificate": "certificate",
    "workload_identity": "federated_token_file",
}
"""The key that goes with one way to sign in and with no other."""


class Account(Model):
    """A Microsoft identity."""

    sign_in: SignInMethod
    tenant: str = Field(default="", validate_default=True)
    client_id: str = Field(default="", validate_default=True)
    client_secret: SecretPlace | None = None
    secret_expires: date | None = None
    certificate: Certificate | None = None
    federated_token_file: Path | None = Field(default=None, validate_default=True)
    scopes: list[Annotated[str, AfterValidator(_scope)]] = Field(default=[])
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
        known = get_args(SignInMethod)
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
        if METHODS[self.sign_in].needs_person:
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
