"""`kill -9` at any point of a refresh leaves a valid file (law 5)."""

from __future__ import annotations

import subprocess
import sys

import yaml

from tests.signin.conftest import PERSON, Place


def test_200_kills(place: Place) -> None:
    """The file is readable after each, holds the refresh token and who it is, and the account works in the end."""
    config = place.with_(**PERSON).model_dump(mode="json", exclude_defaults=True)
    (place.folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "tests.signin.killing", str(place.folder), "200"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    refreshed, *left = done.stdout.splitlines()[-1].split()
    assert int(refreshed) > 20, "too few kills hit a process that had refreshed"
    assert left == ["contoso.lock", "contoso.previous", "contoso.tokens", "key"], (
        "a killed process left something behind"
    )
