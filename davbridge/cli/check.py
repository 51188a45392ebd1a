"""`davbridge check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from davbridge import deadline
from davbridge.app import build
from davbridge.cli.accounts import account_reports
from davbridge.cli.accounts import as_json as as_json_
from davbridge.cli.options import config_option, find_config
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.errors import BridgeError, ConfigError

_SECONDS = 30.0


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def check(config_file: Path | None, as_json: bool) -> None:
    """Read the configuration, sign in, and look every policy's drive up.

    Exit status 0 when all is well, 78 when the configuration must be changed, 1 when something else is wrong.
    """
    path = find_config(config_file)
    config = load(path)
    clock = SystemClock()
    bridge = build(config, clock)
    results: list[dict[str, object]] = []
    worst = 0
    try:
        for name, driver in bridge.drivers.items():
            try:
                with deadline.within(clock, _SECONDS):
                    results.append({"policy": name, "ok": True, "message": driver.probe()})
            except BridgeError as error:
                results.append({"policy": name, "ok": False, "message": str(error)})
                worst = 78 if isinstance(error, ConfigError) or worst == 78 else 1
        accounts = account_reports(bridge)
    finally:
        bridge.close()
    if as_json:
        reports = as_json_(accounts)
        click.echo(json.dumps({"config": str(path), "ok": worst == 0, "accounts": reports, "policies": results}))
    else:
        for result in results:
            click.echo(f"{'ok  ' if result['ok'] else 'FAIL'} {result['policy']}: {result['message']}")
        for name, one in accounts.items():
            if one.warning:
                click.echo(f"WARN account {name}: {one.warning}")
            if one.state == "ok":
                who = f" as {one.who}" if one.who else ""
                click.echo(f"ok   account {name}: signed in{who}, {' '.join(one.scopes)}")
        if not config.users:
            click.echo("note there are no users: nobody gets in")
    sys.exit(worst)
