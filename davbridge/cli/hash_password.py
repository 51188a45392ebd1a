"""`davbridge hash-password`."""

from __future__ import annotations

import sys

import click

from davbridge.auth import hash_password
from davbridge.errors import ConfigError


@click.command("hash-password")
def hash_password_command() -> None:
    """Ask for a password and print its argon2id hash for `users`. From a pipe, the first line is the password."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise ConfigError("the password is empty")
    click.echo(hash_password(password))
