"""The commands. Each is a file; this one names them and turns errors into one sentence and an exit status."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click

from davbridge import __version__
from davbridge.cli.telling import tell
from davbridge.errors import BridgeError
from davbridge.starting import loading

__all__ = ["cli", "main"]

_COMMANDS = {
    "check": "check",
    "demo": "demo",
    "hash-password": "hash_password_command",
    "init": "init",
    "login": "login",
    "reload": "reload",
    "resolve": "resolve",
    "serve": "serve",
    "status": "status",
}
"""The function of each, in a file of the command's name."""


class _Commands(click.Group):
    """Loads the command that is wanted and no other: each process of `serve` comes by here, too."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with loading():
            module = import_module(f"davbridge.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = getattr(module, _COMMANDS[cmd_name])
        return command


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="davbridge")
def cli() -> None:
    """A WebDAV server in front of OneDrive and SharePoint document libraries."""


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
    except BridgeError as error:
        tell(f"davbridge: {error}", err=True)
        sys.exit(error.exit_status)
