"""Each test of litmus is a test here: by the program, by the harness, and both compared on three servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.litmus.conftest import Verdicts, warnings
from tests.litmus.suites import NAMES, SUITES

Verdict = Callable[[str, str], Verdicts]
POLICIES = ["onedrive", "sharepoint"]
BRIDGES = [*POLICIES, "workers"]
EACH = pytest.mark.parametrize(("suite", "number", "name"), NAMES, ids=[f"{s}-{n:02}-{name}" for s, n, name in NAMES])


@pytest.mark.real
@pytest.mark.parametrize("server", BRIDGES)
@EACH
def test_program(by_program: Verdict, server: str, suite: str, number: int, name: str) -> None:
    """The real litmus passes on the bridge."""
    assert by_program(server, suite).get((suite, number, name)) == "pass"


@pytest.mark.real
@pytest.mark.parametrize("server", BRIDGES)
@pytest.mark.parametrize("suite", SUITES)
def test_nothing_is_missing(by_program: Verdict, server: str, suite: str) -> None:
    """litmus ran the tests that we know, all of them, and warned of nothing."""
    ran = list(by_program(server, suite))
    assert ran == [one for one in NAMES if one[0] == suite]
    assert warnings[server, suite] == []


@pytest.mark.parametrize("server", POLICIES)
@EACH
def test_harness(by_harness: Verdict, server: str, suite: str, number: int, name: str) -> None:
    """The harness passes on the bridge."""
    assert by_harness(server, suite)[suite, number, name] == "pass"


@pytest.mark.real
@pytest.mark.parametrize("server", [*POLICIES, "wsgidav", "apache"])
@EACH
def test_both_agree(by_program: Verdict, by_harness: Verdict, server: str, suite: str, number: int, name: str) -> None:
    """The harness and the program come to the same verdict, also where a server fails."""
    key = (suite, number, name)
    assert by_harness(server, suite)[key] == by_program(server, suite).get(key)
