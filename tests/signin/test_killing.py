"""`kill -9` at any point of a refresh or a sign-in leaves a valid file (law 5)."""

from __future__ import annotations

import os
import subprocess
import sys

import yaml

from tests.signin.conftest import PERSON, Place

SIGN_INS = int(os.environ.get("DAVBRIDGE_KILLS", "120"))
"""How many sign-ins are killed: with 120 each step is met once; 200 is what is promised."""


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


def test_kills_during_sign_ins(place: Place) -> None:
    """Device code and browser, the first one and another one, killed before each step: the store is readable."""
    config = place.with_(**PERSON).model_dump(mode="json", exclude_defaults=True)
    (place.folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "tests.signin.killing_sign_ins", str(place.folder), str(SIGN_INS)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    for line in done.stdout.splitlines()[-2:]:
        killed, again, first, *left = line.split()
        assert int(killed) >= SIGN_INS
        assert int(again) >= 20, "a sign-in has more steps than it was killed before"
        assert int(first) >= 20
        assert left == ["contoso.lock", "contoso.previous", "contoso.tokens", "key"]
