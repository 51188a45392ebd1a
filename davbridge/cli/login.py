"""`davbridge login`."""

from __future__ import annotations

from pathlib import Path

import click

from davbridge.accounts import WORDS, scopes, settings, token_store
from davbridge.app import state_folder
from davbridge.cli.options import config_option, find_config
from davbridge.cli.visitor import TerminalVisitor
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.errors import ConfigError
from davbridge.tokens import sign_in


@click.command()
@config_option
@click.option("--paste", is_flag=True, help="With sign_in: browser: open none here; paste the address it ends at.")
@click.option("--replace-account", is_flag=True, help="Let another Microsoft account take the former one's place.")
@click.argument("account", required=False)
def login(config_file: Path | None, account: str | None, paste: bool, replace_account: bool) -> None:
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
    clock = SystemClock()
    click.echo(f"{account} asks for:")
    for scope in scopes(config, account):
        click.echo(f"  {scope:20} {WORDS.get(scope, '')}".rstrip())
    store = token_store(config, state_folder(config), clock)
    visitor = TerminalVisitor(paste=paste)
    who = sign_in(settings(config, account), store, clock, visitor, replace_account=replace_account)
    click.echo(f"{account}: signed in as {who}")
