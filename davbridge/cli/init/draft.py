"""The file that comes of the answers, and writing it so that all of it is there, or nothing."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from davbridge.accounts import token_store
from davbridge.auth.passwords import NOBODY
from davbridge.cli.init.account import AccountAnswers
from davbridge.cli.yamltext import entries, rows, text
from davbridge.clock import Clock
from davbridge.config import Config, load
from davbridge.durable import write_atomically
from davbridge.errors import BridgeError, ConfigError, NeedsSignIn

NAME = "config.yaml"
STATE = "state"
_TEXT = """\
# Made by `davbridge init`. docs/configuration.md explains every key; `davbridge check` looks the file over.
{server}
  # tls: {{certificate: cert.pem, key: key.pem}}   # Windows and Office send passwords over TLS only
  # behind_proxy: {{trusted: [127.0.0.1/32], public_url: "https://dav.example.com"}}

# Sign-ins, locks, the mirror. Under systemd take this section out: the service has a folder of its own.
{state}

# Microsoft identities.
{accounts}

# One mount each; `davbridge resolve ADDRESS` prints another one to paste here.
# With `download: proxy` all bytes pass through the bridge; else some clients are sent to Microsoft for large files.
{policies}

# Who may come in; hashes from `davbridge hash-password`. `admin: true`: also to the status page, to sign accounts in.
{users}
"""


@dataclass
class Draft:
    """All answers. `users` holds hashes."""

    account: AccountAnswers
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    listen: str = "127.0.0.1:8080"

    def text(self) -> str:
        """The YAML, with a comment where somebody will want to change something."""
        return _TEXT.format(
            server=text({"server": {"listen": self.listen}}),
            state=text({"state": {"directory": STATE}}),
            accounts=text({"accounts": entries({self.account.name: self.account.data})}),
            policies=text({"policies": entries(self.policies)}),
            users=text({"users": rows(self.users)}),
        )

    def write_to(self, folder: Path) -> Path:
        """Write the file and its secrets, each open to its owner alone; returns the file.

        Raises:
            ConfigError: it cannot be written; what was written before is removed again.
        """
        written: list[Path] = []
        try:
            for name, secret in self.account.secrets.items():
                written.append(folder / name)
                write_atomically(folder / name, f"{secret}\n".encode(), mode=0o600)
            # the last: with it everything is there
            write_atomically(folder / NAME, self.text().encode(), mode=0o600)
        except BaseException as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise ConfigError(f"{folder} cannot be written to: {error.strerror}") from None
            raise
        return folder / NAME


def provisional(account: AccountAnswers, folder: Path, right: str, *, onedrive: bool, sharepoint: bool) -> Config:
    """A configuration that asks for what the choice will need, before it is made."""
    both = {"account": account.name, "access": {"nobody": right}}
    policies: dict[str, Any] = {}
    if onedrive:
        policies["onedrive"] = {"mount": "/onedrive", "driver": "onedrive", **both}
        if not account.is_person:
            policies["onedrive"]["user"] = "somebody"
    if sharepoint:
        policies["sharepoint"] = {"mount": "/sharepoint", "driver": "sharepoint", "site": "https://localhost", **both}
    data = {"accounts": {account.name: account.data}, "policies": policies}
    path = folder / "provisional.yaml"
    users = {"nobody": {"password": NOBODY}}
    try:
        for name, secret in account.secrets.items():
            write_atomically(folder / name, f"{secret}\n".encode(), mode=0o600)
        path.write_text(yaml.safe_dump({**data, "users": users, "state": {"directory": STATE}}), "utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written to: {error.strerror}") from None
    return load(path)


def check_place(folder: Path) -> None:
    """Find out before the first question whether anything can be written there.

    Raises:
        ConfigError.
    """
    there = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{folder} cannot be written to: {there} is no folder, or not yours; take another --directory"
        )


def keep(draft: Draft, staged: Path, folder: Path, clock: Clock, *, replace: bool) -> Path:
    """Put everything into its place: the sign-in first, the file last. `replace`: a file may be there.

    Raises:
        ConfigError: it cannot be written; nothing of it is left.
    """
    if not replace and (folder / NAME).exists():
        raise ConfigError(f"{folder / NAME} has come into being meanwhile, and is left as it is")
    name, made, state = draft.account.name, _missing(folder), folder / STATE
    fresh = not state.exists()
    config, former = load(staged), None
    store = token_store(config, state, clock)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)
        with token_store(config, staged.parent / STATE, clock).locked(name, patience=10) as file:
            record = file.read()
        with store.locked(name, patience=10) as file:
            with suppress(NeedsSignIn):  # its key is gone: it stays as `.previous`
                former = file.read()
            file.write(record, keep=True)
        return draft.write_to(folder)
    except BaseException as error:
        with suppress(OSError, BridgeError):
            if made is not None or fresh:
                shutil.rmtree(made or state)
            elif former is not None:
                with store.locked(name, patience=10) as file:
                    file.write(former)
        if isinstance(error, OSError):
            raise ConfigError(f"{folder} cannot be written to: {error.strerror}") from None
        raise


def _missing(folder: Path) -> Path | None:
    """The outermost folder that would have to be made."""
    missing = None
    for place in (folder, *folder.parents):
        if place.exists():
            return missing
        missing = place
    return missing
