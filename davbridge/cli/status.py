"""`davbridge status`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from davbridge import deadline
from davbridge.app import Bridge, build
from davbridge.cli.accounts import account_reports, show_account
from davbridge.cli.accounts import as_json as as_json_
from davbridge.cli.options import config_option, find_config
from davbridge.cli.telling import tell
from davbridge.clock import SystemClock
from davbridge.config import Config, load
from davbridge.errors import BridgeError
from davbridge.page.words import human_size

_SECONDS = 20.0


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def status(config_file: Path | None, as_json: bool) -> None:
    """Tell how each account and each policy stands: who is signed in, until when; drive, root, quota, mirror.

    It reads the files of the running bridge and asks Microsoft for each drive. Exit status 0 when every policy can be
    served and no account needs somebody, else 1.
    """
    path = find_config(config_file)
    config = load(path)
    bridge = build(config, SystemClock())
    try:
        policies = {name: _policy(bridge, config, name) for name in bridge.drivers}
        accounts = account_reports(bridge)  # afterwards: a refresh may just have been tried
    finally:
        bridge.close()
    well = all(one["reachable"] for one in policies.values()) and all(one.state == "ok" for one in accounts.values())
    if as_json:
        click.echo(json.dumps({"config": str(path), "ok": well, "accounts": as_json_(accounts), "policies": policies}))
    else:
        for name, account in accounts.items():
            show_account(name, account)
        for name, one in policies.items():
            _show(name, one)
    sys.exit(0 if well else 1)


def _policy(bridge: Bridge, config: Config, name: str) -> dict[str, Any]:
    policy, driver = config.policies[name], bridge.drivers[name]
    facts: dict[str, Any] = {"mount": policy.mount, "account": policy.account, "driver": policy.driver}
    try:
        with deadline.within(SystemClock(), _SECONDS):
            facts |= {"reachable": True, "drive": driver.probe()}
            quota = driver.quota()
        if place := driver.place:
            facts |= {"library": place.drive.name, "drive_id": place.drive.id, "root": place.root_name}
        facts["quota"] = {"used": quota.used, "available": quota.available} if quota else None
        report = driver.report()
        facts["mirror"] = {**asdict(report), "sentence": report.sentence, "exceptions": report.exceptions}
    except BridgeError as error:
        facts |= {"reachable": False, "message": str(error)}
    return facts


def _show(name: str, facts: dict[str, Any]) -> None:
    tell(f"{name}  {facts['mount']}  ({facts['driver']}, account {facts['account']})")
    if not facts["reachable"]:
        tell(f"  FAIL    {facts['message']}")
        return
    tell(f"  drive   {facts['drive']}")
    quota = facts["quota"]
    if quota:
        tell(f"  quota   {human_size(quota['used'])} used, {human_size(quota['available'])} free")
    tell(f"  mirror  {facts['mirror']['sentence']}")
    if facts["mirror"]["exceptions"]:
        tell(f"  except  {facts['mirror']['exceptions']}")
