"""`davbridge serve`."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from davbridge.cli.options import config_option, find_config
from davbridge.config import load
from davbridge.logs import configure_logging
from davbridge.workers import run


@click.command()
@config_option
@click.option("--verbose", is_flag=True, help="Log more.")
def serve(config_file: Path | None, verbose: bool) -> None:
    """Serve the policies of the configuration until SIGTERM or Ctrl-C."""
    config = load(find_config(config_file))
    configure_logging(logging.DEBUG if verbose else logging.INFO)
    run(config)
