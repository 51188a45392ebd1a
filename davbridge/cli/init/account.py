"""The questions about the Microsoft account: cloud, kind, app registration, and how to sign in."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from davbridge.cli.init.asking import ask, choose, confirm
from davbridge.cli.telling import tell
from davbridge.clock import SystemClock
from davbridge.config import Account, Cloud
from davbridge.config.account import CLOUDS
from davbridge.errors import ConfigError
from davbridge.tokens import METHODS
from davbridge.tokens.methods import Method

_CLOUD_WORDS = {
    "global": "Microsoft 365, OneDrive: the usual one (global)",
    "us_gov": "US Government, GCC High (us_gov)",
    "us_gov_dod": "US Government, DoD (us_gov_dod)",
    "china": "China, operated by 21Vianet (china)",
    "another": "another cloud, by its addresses",
}
_METHOD_WORDS = {
    "device_code": "a person, with a code typed on any device (device_code)",
    "browser": "a person, in a browser (browser)",
    "client_secret": "the app itself, with a client secret (client_secret)",
    "certificate": "the app itself, with a certificate (certificate)",
    "managed_identity": "the Azure machine that this runs on (managed_identity)",
    "workload_identity": "the app itself, with a token of Kubernetes, GitHub and others (workload_identity)",
}
_BY_WORD: dict[str, Method] = {word: method for word, method in METHODS.items()}  # noqa: C416 - wider keys


@dataclass
class AccountAnswers:
    """`data` is the account as it stands in the YAML; `secrets`: file names in it, and what belongs into them."""

    name: str
    data: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def is_person(self) -> bool:
        return _BY_WORD[self.data["sign_in"]].needs_person

    @property
    def is_personal(self) -> bool:
        """Whether it is one of Outlook, Hotmail and the like, which have no SharePoint."""
        return bool(self.data.get("tenant") == "consumers")


def read_cloud_file(path: Path) -> dict[str, Any]:
    """A private cloud from a file: `graph`, `login` and, if it has one, `ca_file`, as YAML or JSON.

    Raises:
        ConfigError.
    """
    try:
        cloud = Cloud.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError):
        raise ConfigError(
            f"{path} does not describe a cloud: write graph: https://…, login: https://… and, if it needs one, "
            "ca_file: FILE"
        ) from None
    return _cloud(cloud, path.parent)


def _cloud(cloud: Cloud, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"graph": cloud.graph, "login": cloud.login}
    if cloud.ca_file:
        told["ca_file"] = str(_readable(str(folder / cloud.ca_file.expanduser())))
    return told


def ask_account(cloud: dict[str, Any] | None, before: dict[str, Any], taken: set[str]) -> AccountAnswers:
    """All questions about the account. `before`: earlier answers, offered again; `taken`: files that are there."""
    where: Any = cloud or _ask_cloud(before.get("cloud"))
    personal = _ask_kind(where, before)
    name = "personal" if personal else "work"
    tell(
        "\nThe bridge signs in as an app that you register at Microsoft, once; docs/setup-entra.md goes through it."
        "\nIts application (client) id is on the app's first page in the Entra admin center."
    )
    method = _ask_method(personal, before.get("sign_in"))
    data: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    if method != "managed_identity":
        data["tenant"] = "consumers" if personal else _ask_tenant(_BY_WORD[method].needs_person, before.get("tenant"))
        data["client_id"] = ask("Application (client) id", _guid, default=before.get("client_id"))
    elif given := ask("Client id of a user-assigned identity, or nothing", _guid_or_none, default=""):
        data["client_id"] = given
    data["sign_in"] = method
    data |= _ask_key(method, name, secrets, taken)
    if where != "global":
        data["cloud"] = where
    Account.model_validate(data)
    return AccountAnswers(name, data, secrets)


def _ask_cloud(before: Any) -> Any:
    preset = before if isinstance(before, str) else "another" if before else "global"
    word = choose("Which Microsoft cloud?", list(_CLOUD_WORDS.items()), preset)
    if word in CLOUDS:
        return word
    known: dict[str, str] = before if isinstance(before, dict) else {}
    graph = ask("Address of Graph (https://…)", lambda given: _https("graph", given), default=known.get("graph"))
    login = ask("Address of the sign-in (https://…)", lambda given: _https("login", given), default=known.get("login"))
    file = ask("File with its CA certificates, or nothing", _readable_or_none, default=known.get("ca_file", ""))
    return _cloud(Cloud(graph=graph, login=login, ca_file=file), Path())


def _ask_kind(cloud: Any, before: dict[str, Any]) -> bool:
    if cloud in ("us_gov", "us_gov_dod", "china"):
        return False  # personal accounts exist in the global cloud only
    options = [("work", "of work or school"), ("personal", "a personal one (Outlook, Hotmail, Live …)")]
    preset = "personal" if before.get("tenant") == "consumers" else "work"
    return choose("What kind of Microsoft account?", options, preset) == "personal"


def _ask_method(personal: bool, before: str | None) -> str:
    words = [(word, _METHOD_WORDS[word]) for word, method in METHODS.items() if not personal or method.needs_person]
    return choose("Who signs in, and how?", words, before or "device_code")


def _ask_tenant(person: bool, before: str | None) -> str:
    def check(given: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", given):
            raise ValueError(f"{given!r} is no tenant: write its domain (contoso.onmicrosoft.com) or its id")
        if given in ("consumers", "common", "organizations") and not person:
            raise ValueError(f"an app signs in to one tenant: write its domain or id, not {given}")
        if given == "consumers":
            raise ValueError("consumers stands for personal accounts: Ctrl-C, and choose that kind")
        return given

    preset = before if before != "consumers" else None
    hint = " (organizations: whichever the person belongs to)" if person else ""
    return ask(f"Tenant, by domain or id{hint}", check, default=preset or ("organizations" if person else None))


def _ask_key(method: str, name: str, secrets: dict[str, str], taken: set[str]) -> dict[str, Any]:
    """What one way to sign in needs beside the id. Secrets go into files of their own."""
    if method == "client_secret":
        place = _free(f"{name}-secret", taken)
        secrets[place] = ask("The secret's value (not shown)", _secret, hidden=True)
        data: dict[str, Any] = {"client_secret": {"file": place}}
        day = ask("Day on which the secret ends, 2027-06-30, or nothing", _day_or_none, default="")
        return data | ({"secret_expires": day} if day else {})
    if method == "certificate":
        file = ask("File with certificate and key (PEM or PFX)", _readable)
        certificate: dict[str, Any] = {"file": str(file)}
        if confirm("Is its key protected by a passphrase?", default=False):
            place = _free(f"{name}-passphrase", taken)
            secrets[place] = ask("Passphrase (not shown)", _secret, hidden=True)
            certificate["passphrase"] = {"file": place}
        return {"certificate": certificate}
    if method == "workload_identity":
        return {"federated_token_file": str(ask("File with the other provider's token", _readable))}
    return {}


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _https(key: str, given: str) -> str:
    other = "login" if key == "graph" else "graph"
    return str(getattr(Cloud.model_validate({key: given, other: "https://localhost"}), key))


def _guid(given: str) -> str:
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise ValueError(f"{given!r} is no id: it looks like 11111111-2222-3333-4444-555555555555") from None


def _guid_or_none(given: str) -> str:
    return _guid(given) if given else ""


def _secret(given: str) -> str:
    if not given.strip():
        raise ValueError("it is empty")
    return given.strip()


def _day_or_none(given: str) -> date | None:
    try:
        day = date.fromisoformat(given) if given else None
    except ValueError:
        raise ValueError(f"{given!r} is no day: write 2027-06-30") from None
    if day is not None and day < SystemClock().now().date():
        raise ValueError(f"{given} is over, and so would the secret be: take the day from the portal")
    return day


def _readable(given: str) -> Path:
    path = Path(given).expanduser().absolute()
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"{given} cannot be read: {error.strerror}") from None
    return path


def _readable_or_none(given: str) -> Path | None:
    return _readable(given) if given else None
