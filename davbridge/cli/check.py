"""`davbridge check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import click

from davbridge import deadline
from davbridge.app import Bridge, build
from davbridge.cli.accounts import account_reports
from davbridge.cli.accounts import as_json as as_json_
from davbridge.cli.options import config_option, find_config
from davbridge.cli.reaching import reach
from davbridge.cli.remedies import remedy
from davbridge.cli.telling import tell
from davbridge.cli.writing import write_probe
from davbridge.clock import SystemClock
from davbridge.config import Config, load
from davbridge.config.exposed import exposed
from davbridge.edge.certificate import shown
from davbridge.errors import BridgeError
from davbridge.tokens import METHODS, AccountReport

_SECONDS = 30.0
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Finding:
    """`written`: the file that was made and removed; empty when none was. `status`: what the command ends with."""

    policy: str
    ok: bool
    message: str
    remedy: str = ""
    written: str = ""
    status: int = 0


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@click.option(
    "--write",
    is_flag=True,
    help="Also create a small file in the root of each policy whose users may write, and remove it (to the recycle "
    "bin, at Microsoft).",
)
def check(config_file: Path | None, as_json: bool, write: bool) -> None:
    """Read the configuration, reach Microsoft, sign in, and look every policy's drive and root up.

    Exit status 0 when all is well, 78 when the configuration must be changed, 1 when something else is wrong.
    """
    sys.exit(look_over(find_config(config_file), as_json=as_json, write=write))


def look_over(path: Path, *, as_json: bool = False, write: bool = False, shown_as: Path | None = None) -> int:
    """Print what is found; returns the exit status. `shown_as`: where the file will lie, if that is elsewhere."""
    config = load(path)
    hosts = list(reach(config))
    bridge = build(config, SystemClock())
    try:
        findings = list(_policies(bridge, config, _refused(bridge), write=write))
        accounts = account_reports(bridge)
    finally:
        bridge.close()
    tls, secrets = list(_tls(config)), exposed(config)
    well = all(one.ok for one in hosts) and all(one.state == "ok" for one in accounts.values())
    worst = max((one.status for one in findings), default=0) or int(not well)
    if as_json:
        told = {
            "config": str(path),
            "ok": worst == 0,
            "hosts": [asdict(one) for one in hosts],
            "tls": [{"level": level, "message": message} for level, message in tls],
            "exposed": secrets,
            "accounts": as_json_(accounts),
            "policies": [asdict(one) for one in findings],
        }
        click.echo(json.dumps(told))
        return worst
    tell(f"ok   configuration {shown_as or path}")
    for message in secrets:
        tell(f"WARN {message}")
    for level, message in tls:
        tell(f"{level:4} {message}")
    for host in hosts:
        _line(host.host, host.ok, host.message, host.remedy)
    for one in findings:
        _line(one.policy, one.ok, one.message, one.remedy)
        if one.written:
            tell(f"ok   {one.policy}: {one.written} was written to its root, and removed")
    for name, account in accounts.items():
        failed = [one for one in findings if not one.ok and config.policies[one.policy].account == name]
        said = any(account.message in one.message for one in findings) or (account.state == "not signed in" and failed)
        _account(name, account, said=bool(said))
    if not config.users:
        tell("note there are no users: nobody gets in; add one under `users`")
    return worst


def _refused(bridge: Bridge) -> dict[str, BridgeError]:
    """The accounts of applications that get no token with what is in the file now, and why.

    A token that was got before would hide a wrong secret or certificate until it ends.
    """
    refused: dict[str, BridgeError] = {}
    for name, account in bridge.accounts.items():
        if METHODS[account.settings.method].needs_person:
            continue
        try:
            with deadline.within(bridge.ground.clock, _SECONDS):
                account.renew()
        except BridgeError as error:
            refused[name] = error
    return refused


def _policies(bridge: Bridge, config: Config, refused: Mapping[str, BridgeError], *, write: bool) -> Iterator[Finding]:
    """Each policy's finding. One mistake of an account fails all of its policies: they end alike, with one remedy."""
    failed: dict[str, Finding] = {}
    for name in bridge.drivers:
        account = config.policies[name].account
        error = refused.get(account)
        if error is None:
            found = _policy(bridge, config, name, write=write)
        else:
            found = Finding(name, False, str(error), remedy(error, account), status=error.exit_status)
        if not found.ok:
            first = failed.setdefault(found.message, found)
            # an account tells its mistake once as such, and then as something to wait for
            found = replace(found, remedy=first.remedy, status=first.status)
        yield found


def _policy(bridge: Bridge, config: Config, name: str, *, write: bool) -> Finding:
    policy, driver, clock = config.policies[name], bridge.drivers[name], bridge.ground.clock
    found = ""
    try:
        with deadline.within(clock, _SECONDS):
            found = driver.probe()
        written = write_probe(driver, clock) if write and "write" in policy.access.values() else ""
    except BridgeError as error:
        message = f"{found}, which cannot be written to: {error}" if found else str(error)
        return Finding(name, False, message, remedy(error, policy.account), status=error.exit_status)
    return Finding(name, True, found, written=written)


def _tls(config: Config) -> Iterator[tuple[Literal["ok", "WARN"], str]]:
    """Of our own certificate; `load` has made sure that it can be used."""
    tls = config.server.tls
    if tls is None:
        return
    certificate = shown(tls.certificate)
    left = certificate.ends - datetime.now(certificate.ends.tzinfo)
    names = ", ".join(certificate.names) or "no name, so no client will trust it"
    ends = "expired on" if left <= timedelta() else "good until"
    message = f"certificate {tls.certificate}: for {names}, {ends} {certificate.ends:%Y-%m-%d}"
    if left > _SOON and certificate.names:
        yield "ok", message
    else:
        yield "WARN", f"{message}; put a new one there, and run `davbridge reload`"


def _line(what: str, ok: bool, message: str, remedy: str) -> None:
    tell(f"{'ok  ' if ok else 'FAIL'} {what}: {message}")
    if remedy and remedy.removeprefix("run ") not in message:
        tell(f"     {remedy}")


def _account(name: str, one: AccountReport, *, said: bool) -> None:
    """`said`: its policies have told already what is wrong with it."""
    if one.warning:
        tell(f"WARN account {name}: {one.warning}")
    if one.state == "ok":
        who = f" as {one.who}" if one.who else ""
        tell(f"ok   account {name}: signed in{who}, {' '.join(one.scopes)}")
    else:
        tell(f"FAIL account {name}: {one.state}" + ("" if said else f": {one.message}"))
