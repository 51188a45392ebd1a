"""`davbridge reload`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click
import yaml

from davbridge.cli.options import config_option, find_config
from davbridge.cli.telling import tell
from davbridge.config import load
from davbridge.config.model import State
from davbridge.errors import BridgeError, ConfigError
from davbridge.presence import reload as ask

_SECONDS = 150.0
"""Longer than the bridge itself waits for its workers."""


@click.command()
@config_option
def reload(config_file: Path | None) -> None:
    """Have the running bridge take the configuration as it is now, without cutting anything.

    Accounts, policies, users, secrets and certificates are switched in one step. Exit status 0 when it serves with
    them, 78 when the file cannot be used (it goes on as before), 1 when no bridge runs or another thing went wrong.
    """
    path = find_config(config_file)
    mistake: ConfigError | None = None
    try:
        folder = load(path).state.folder()
    except ConfigError as error:
        # the bridge is asked all the same: its log shall say why it goes on with the former one
        mistake, folder = error, _folder(path)
    try:
        outcome = ask(folder, _SECONDS)
    except OSError as error:
        raise BridgeError(f"the bridge on {folder} cannot be told: {error.strerror}") from None
    if outcome is None and mistake is not None:
        # where the file cannot even be read, a bridge with a state folder of its own is not found
        raise ConfigError(f"not reloaded; a bridge that runs goes on with the former configuration: {mistake}")
    if outcome is None:
        raise BridgeError(
            f"no bridge runs with the state folder {folder}; one that was started with another `state.directory`, or "
            "as another user, must be restarted"
        )
    if outcome.status == 0:
        tell(f"reloaded: {outcome.message}")
        return
    tell(f"davbridge: not reloaded, the former configuration goes on: {outcome.message}", err=True)
    sys.exit(outcome.status)


def _folder(path: Path) -> Path:
    """The state folder of a file that has mistakes: as it says, if that can be read, else the usual one."""
    data: Any = None
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        data = yaml.safe_load(path.read_text("utf-8"))
    state = data.get("state") if isinstance(data, dict) else None
    named = state.get("directory") if isinstance(state, dict) else None
    return path.parent / Path(named).expanduser() if isinstance(named, str) else State().folder()
