"""`davbridge resolve`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import Any

import click

from davbridge import deadline
from davbridge.accounts import scopes
from davbridge.cli.mounted import Mounted, mounted
from davbridge.cli.options import config_option, find_config
from davbridge.cli.proposal import Folder, find_folder, name_for, policy_for, unfit
from davbridge.cli.session import SECONDS, graph_of
from davbridge.cli.telling import tell
from davbridge.cli.yamltext import entries, text
from davbridge.clock import SystemClock
from davbridge.config import Account, Config, load
from davbridge.drivers.locating import NoPermission, locate
from davbridge.errors import BridgeError, ConfigError
from davbridge.graph.pasted import CLOUD_NAMES, Pasted, SharingLink, SitePath, graph_host, read_pasted
from davbridge.tokens import METHODS


@click.command()
@config_option
@click.option("--account", help="The account to ask as; needed when several could be meant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@click.argument("url")
def resolve(config_file: Path | None, account: str | None, as_json: bool, url: str) -> None:
    """Tell what an address leads to, and print the policy that mounts it.

    URL is what the browser shows, or a sharing link: of a SharePoint site, library, folder or file, or of a OneDrive.
    Put it in quotes. Exit status 0 when it was found, 1 when not, with the reason.
    """
    config = load(find_config(config_file))
    if account is not None and account not in config.accounts:
        raise ConfigError(f"there is no account {account!r}; there are {', '.join(config.accounts)}")
    try:
        pasted = read_pasted(url)
        name = account or _choose(config, pasted)
        folder, policy, hint = _ask(config, name, pasted)
    except BridgeError as error:
        # also for ConfigError: the address is wrong, not the configuration
        if as_json:
            click.echo(json.dumps({"ok": False, "message": str(error)}))
        else:
            tell(f"davbridge: {error}", err=True)
        sys.exit(1)
    entry = _entry(config, folder, policy) if policy else {}
    there = mounted(config, name, folder)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": True,
                    "url": pasted.url,
                    **_facts(name, folder),
                    "mounted": asdict(there) if there else None,
                    "policy": entry,
                    "message": hint,
                }
            )
        )
    else:
        _show(name, folder, there, entry, hint)


def _choose(config: Config, pasted: Pasted) -> str:
    """The one account that the address can be meant for.

    Raises: ConfigError: none or several.
    """
    fitting = [name for name, one in config.accounts.items() if _in_cloud(one, pasted) and not unfit(one, pasted)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and len(config.accounts) == 1:
        return next(iter(config.accounts))
    raise ConfigError(
        f"name the account that is to ask, with --account: one of {', '.join(fitting or config.accounts)}"
    )


def _in_cloud(account: Account, pasted: Pasted) -> bool:
    cloud = CLOUD_NAMES.get(graph_host(pasted))
    return cloud in (None, account.cloud) or not isinstance(account.cloud, str)


def _ask(config: Config, name: str, pasted: Pasted) -> tuple[Folder, dict[str, Any], str]:
    """The folder, the policy's keys, and where there is none, why."""
    account, clock = config.accounts[name], SystemClock()
    if told := unfit(account, pasted):
        raise ConfigError(told)
    with graph_of(config, name, clock) as graph, deadline.within(clock, SECONDS):
        try:
            folder = find_folder(graph, locate(graph, pasted))
        except NoPermission as error:
            raise ConfigError(_missing_scope(config, name, pasted) or str(error)) from None
        try:
            return folder, policy_for(graph, folder, name, pasted), ""
        except ConfigError as error:
            return folder, {}, str(error)


def _missing_scope(config: Config, name: str, pasted: Pasted) -> str:
    """What to say when the sign-in itself was not for sites and other people's files; empty when it was."""
    asked = scopes(config, name)
    app = not METHODS[config.accounts[name].sign_in].needs_person
    if app or not isinstance(pasted, SitePath | SharingLink) or any(scope.startswith("Sites.") for scope in asked):
        return ""
    return (
        f"account {name!r} may not see it, and its sign-in asks for {' '.join(asked)} only. Write `scopes: "
        f"[Files.ReadWrite.All, Sites.Read.All]` into the account, run `davbridge login {name}`, and try again; with a "
        "SharePoint policy in the file the line is not needed any more"
    )


def _entry(config: Config, folder: Folder, policy: dict[str, Any]) -> dict[str, Any]:
    mounts = {one.mount.lower().strip("/") for one in config.policies.values()}
    name = name_for(folder, {*config.policies, *mounts})
    access = dict.fromkeys(list(config.users)[:1], "write")
    return {name: {"mount": f"/{name}", **policy, "access": access}}


def _facts(account: str, folder: Folder) -> dict[str, Any]:
    drive, site = folder.drive, folder.site
    return {
        "account": account,
        "site": {"id": site.id, "name": site.name, "url": site.web_url} if site else None,
        "library": drive.name if drive.kind == "documentLibrary" else None,
        "drive": {"id": drive.id, "kind": drive.kind, "name": drive.name, "url": drive.web_url, "owner": drive.owner},
        "folder": {"id": folder.item_id, "path": None if folder.path is None else str(folder.path)},
        "file": folder.file or None,
    }


def _show(account: str, folder: Folder, there: Mounted | None, entry: dict[str, Any], hint: str) -> None:
    drive = folder.drive
    lines = []
    if folder.site:
        lines += [("site", f"{folder.site.name}  {folder.site.web_url}"), ("", folder.site.id)]
    if drive.kind == "documentLibrary":
        lines.append(("library", f"{drive.name}  {drive.web_url}"))
    else:
        lines.append(("drive", f"{drive.name}{f' of {drive.owner}' if drive.owner else ''}  {drive.web_url}"))
    lines += [("drive id", f"{drive.id}  ({drive.kind})")]
    lines += [("folder", "unknown" if folder.path is None else str(folder.path)), ("", folder.item_id)]
    if folder.file:
        lines.append(("file", f"{folder.file}: a policy shows its folder"))
    lines.append(("account", account))
    if there:
        lines.append(("mounted", f"already, at {there.path}, by the policy {there.policy}"))
    for name, value in lines:
        tell(f"{name:9} {value}")
    if entry:
        paste = "For a second mount of it, paste" if there else "To paste"
        tell(f"\n{paste} below `policies:`, with your own mount and users:\n")
        click.echo(indent(text(entries(entry)), "  "))
    else:
        tell(f"\nThere is no policy for it: {hint}")
