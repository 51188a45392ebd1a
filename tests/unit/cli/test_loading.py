"""What the program loads, and when."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextlib import suppress

import click
import pytest

from davbridge.cli import cli
from davbridge.starting import loading


def test_every_command_is_where_its_name_says() -> None:
    """All that the help lists can be loaded, under the names that it has there."""
    context = click.Context(cli)
    names = cli.list_commands(context)
    assert {"serve", "hash-password", "init"} <= set(names)
    for name in names:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert cli.get_command(context, "nothing") is None


def test_the_bridge_is_loaded_for_who_needs_it() -> None:
    """Neither `davbridge --version` nor the first look of a worker process at the program loads all of it."""
    look = (
        "import sys, davbridge.__main__; print([n for n in ('davbridge.app', 'pydantic', 'msal') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_as_it_was(on: bool) -> None:
    """It rests while modules are loaded, also when one of them fails."""
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with suppress(ImportError), loading():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()
