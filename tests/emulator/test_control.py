"""The control interface names what it knows, in its help and in each answer to a request that is none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
import requests

from davbridge.emulator import Emulator
from davbridge.emulator.control import ROUTES
from davbridge.emulator.faults import ACTIONS, OPERATIONS, Status
from davbridge.emulator.quirks import Quirks
from tests.emulator.conftest import Api


def refused(emulator: Emulator, path: str, body: Any) -> str:
    """The sentence that a wrong request is answered with."""
    answer = requests.post(emulator.control_url + path, json=body, timeout=30)
    assert answer.status_code == 400
    return str(answer.json()["error"])


def test_the_help_names_all() -> None:
    """Every route, operation, action with its fields, and quirk with its first value and what it does."""
    command = [sys.executable, "-m", "davbridge.emulator", "--help"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    for name in ROUTES:
        assert f"\n  {name}" in text
    for name in ACTIONS:
        assert f"\n  {name}" in text
    assert "\n  status {status, [retry_after], [code], [body]}\n" in text
    listed = text.split("Operations,")[1].split("\n\n")[0].partition("\n")[2]
    assert " ".join(listed.split()) == ", ".join(OPERATIONS)
    for field in fields(Quirks):
        assert f"\n  {field.name}: " in text
    assert "\n  listing_lag: 0\n      A new item is missing from this many listings of its folder" in text


def test_unknown_names_are_answered_with_the_known(emulator: Emulator) -> None:
    """A route, a quirk, an action, an operation and a drive that there is not."""
    assert all(name in refused(emulator, "/nothing", {}) for name in ROUTES)
    assert "no quirk 'no_delta'" in refused(emulator, "/quirk", {"no_delta": True})
    assert all(field.name in refused(emulator, "/quirk", {"no_delta": True}) for field in fields(Quirks))
    explode = refused(emulator, "/fault", {"operation": "delta", "action": "explode"})
    assert "no action 'explode'" in explode
    assert all(name in explode for name in ACTIONS)
    fetch = refused(emulator, "/fault", {"operation": "fetch", "action": "reset"})
    assert "no operation 'fetch'" in fetch
    assert all(name in fetch for name in OPERATIONS)
    assert "business" in refused(emulator, "/expire", {"drive": "bizness"})
    assert emulator.faults.pending == 0


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/fault", {"action": "reset"}, "lacks 'operation': it takes operation, action, [nth], [times], …"),
        ("/fault", {"operation": "delta", "action": "status"}, "lacks 'status'"),
        ("/fault", {"operation": "delta", "action": "reset", "before": 1}, "knows no 'before': it takes [after]"),
        ("/fault", {"operation": "delta", "action": "reset", "after": "x"}, "after is a whole number, not 'x'"),
        ("/storm", {"rate": True}, "rate is a number, not True"),
        ("/storm", {"rate": 2}, "between 0 and 1"),
        ("/quirk", {"listing_lag": 1.5}, "listing_lag is a whole number, not 1.5"),
        ("/quirk", {"no_quota": 1}, "no_quota is true or false, not 1"),
        ("/reset", {"all": True}, "knows no 'all': it takes nothing"),
        ("/advance", [], "is a JSON object"),
    ],
)
def test_wrong_fields(emulator: Emulator, path: str, body: Any, words: str) -> None:
    """What is missing, not known, or of another type is said, with what is taken; nothing is done."""
    assert words in refused(emulator, path, body)
    assert emulator.faults.pending == 0
    assert emulator.quirks == Quirks()


def test_a_fault_with_its_fields(emulator: Emulator, api: Api, business: str) -> None:
    """It comes true as it was planned from outside, a text for its body included."""
    door = emulator.control_url + "/fault"
    plan = {"operation": "list children", "action": "status", "nth": 2, "status": 503, "retry_after": 3, "body": "hm"}
    assert requests.post(door, json=plan, timeout=30).json() == {}
    api("GET", f"{business}/root/children", 200)
    answer = api("GET", f"{business}/root/children", 503)
    assert (answer.text, answer.headers["Retry-After"]) == ("hm", "3")
    api("GET", f"{business}/root/children", 200)


def test_a_quirk(emulator: Emulator) -> None:
    """Several at a time, and none of them when one is wrong."""
    door = emulator.control_url + "/quirk"
    assert requests.post(door, json={"listing_lag": 2, "copy_seconds": 1}, timeout=30).status_code == 200
    assert (emulator.quirks.listing_lag, emulator.quirks.copy_seconds) == (2, 1)
    assert requests.post(door, json={"listing_lag": 3, "no_quota": "x"}, timeout=30).status_code == 400
    assert emulator.quirks.listing_lag == 2


def test_a_fault_for_nothing_is_refused(emulator: Emulator) -> None:
    """Also in this process: it would never come true, and its test would test nothing."""
    with pytest.raises(ValueError, match="no operation 'fetch'"):
        emulator.faults.add("fetch", Status(503))
