"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from davbridge.errors import ConfigError

_PLACES = (Path("config.yaml"), Path("/etc/davbridge/config.yaml"))


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="The configuration; default: ./config.yaml, then /etc/davbridge/config.yaml.",
    )(command)


def find_config(given: Path | None) -> Path:
    """The file to read.

    Raises:
        ConfigError: none is there.
    """
    if given is not None:
        return given
    for place in _PLACES:
        if place.exists():
            return place
    raise ConfigError("there is no ./config.yaml and no /etc/davbridge/config.yaml; name one with --config FILE")
