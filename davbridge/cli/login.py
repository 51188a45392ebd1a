"""`davbridge login`."""

from __future__ import annotations

from pathlib import Path

import click

from davbridge.app import settings, state_folder
from davbridge.cli.options import config_option, find_config
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.errors import ConfigError
from davbridge.tokens import TokenStore, sign_in


@click.command()
@config_option
@click.argument("account", required=False)
def login(config_file: Path | None, account: str | None) -> None:
    """Sign a Microsoft account in, by a code that is typed on any device. Without ACCOUNT: the only one there is."""
    config = load(find_config(config_file))
    if account is None:
        if len(config.accounts) != 1:
            raise ConfigError(f"name the account: one of {', '.join(config.accounts)}")
        account = next(iter(config.accounts))
    if account not in config.accounts:
        raise ConfigError(f"there is no account {account!r}; there are {', '.join(config.accounts)}")
    store = TokenStore(state_folder(config) / "tokens")
    who = sign_in(settings(account, config.accounts[account]), store, SystemClock(), click.echo)
    click.echo(f"{account}: signed in as {who}")
