"""`davbridge login`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from davbridge import deadline
from davbridge.app import build
from davbridge.cli.options import config_option, find_config
from davbridge.cli.session import sign_in_to
from davbridge.cli.telling import tell
from davbridge.cli.visitor import TerminalVisitor
from davbridge.clock import SystemClock
from davbridge.config import Config, load
from davbridge.errors import BridgeError, ConfigError
from davbridge.presence import RELOAD_SECONDS, reload

_SECONDS = 30.0


@click.command()
@config_option
@click.option("--paste", is_flag=True, help="With sign_in: browser: open none here; paste the address it ends at.")
@click.option("--replace-account", is_flag=True, help="Let another Microsoft account take the former one's place.")
@click.option("--check", "look", is_flag=True, help="Then look up the drives of the account's policies.")
@click.argument("account", required=False)
def login(config_file: Path | None, account: str | None, paste: bool, replace_account: bool, look: bool) -> None:
    """Sign a Microsoft account in, as its `sign_in` says. Without ACCOUNT: the only one there is.

    A bridge that runs takes the new sign-in with the next request.
    """
    config = load(find_config(config_file))
    if account is None:
        if len(config.accounts) != 1:
            raise ConfigError(f"name the account: one of {', '.join(config.accounts)}")
        account = next(iter(config.accounts))
    if account not in config.accounts:
        raise ConfigError(f"there is no account {account!r}; there are {', '.join(config.accounts)}")
    tell(f"{account} asks for:")
    who = sign_in_to(config, account, SystemClock(), TerminalVisitor(paste=paste), replace_account=replace_account)
    tell(f"{account}: signed in as {who}")
    failed = _handed_over(config) if replace_account else 0
    if look:
        failed = max(failed, _look(config, account))
    sys.exit(failed)


def _handed_over(config: Config) -> int:
    """Have a bridge that runs look the account's drives up anew: it knows the former person's. 1 when it has not."""
    again = "until `davbridge reload` or a restart it shows the former account's drives"
    try:
        outcome = reload(config.state.folder(), RELOAD_SECONDS)
    except OSError as error:
        tell(f"A bridge runs, and could not be told ({error.strerror}): {again}.", err=True)
        return 1
    if outcome is None:
        return 0
    if outcome.status == 0:
        tell("The bridge that runs has looked the account's drives up anew.")
        return 0
    tell(f"The bridge that runs could not look the account's drives up, and {again}: {outcome.message}", err=True)
    return 1


def _look(config: Config, account: str) -> int:
    """A line for each policy of the account; 1 when one of its drives cannot be reached."""
    clock, failed = SystemClock(), 0
    bridge = build(config, clock)
    try:
        for name, driver in bridge.drivers.items():
            if config.policies[name].account != account:
                continue
            try:
                with deadline.within(clock, _SECONDS):
                    tell(f"ok   {name}: {driver.probe()}")
            except BridgeError as error:
                tell(f"FAIL {name}: {error}")
                failed = 1
    finally:
        bridge.close()
    return failed
