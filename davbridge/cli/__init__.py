"""The commands. Each is a file; this one names them and turns errors into one sentence and an exit status."""

from __future__ import annotations

import logging
import sys

import click

from davbridge import __version__
from davbridge.cli.check import check
from davbridge.cli.demo import demo
from davbridge.cli.hash_password import hash_password_command
from davbridge.cli.init import init
from davbridge.cli.login import login
from davbridge.cli.reload import reload
from davbridge.cli.resolve import resolve
from davbridge.cli.serve import serve
from davbridge.cli.status import status
from davbridge.errors import EX_CONFIG, BridgeError, ConfigError

__all__ = ["cli", "main"]


@click.group()
@click.version_option(__version__, prog_name="davbridge")
def cli() -> None:
    """A WebDAV server in front of OneDrive and SharePoint document libraries."""


for command in (demo, init, serve, reload, login, status, check, resolve, hash_password_command):
    cli.add_command(command)


def main() -> None:
    """The console script. Exit status 78 for a wrong configuration, 1 for other failures."""
    # without a handler, Python would print what libraries warn of, unredacted; a person is told by the command itself
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ConfigError as error:
        click.echo(f"davbridge: {error}", err=True)
        sys.exit(EX_CONFIG)
    except BridgeError as error:
        click.echo(f"davbridge: {error}", err=True)
        sys.exit(1)
