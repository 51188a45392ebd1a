"""All suites, in litmus's order."""

from __future__ import annotations

from collections.abc import Iterator

from tests.litmus import basic, copymove, http, locks, props
from tests.litmus.harness import Result, Suite, run_suite

SUITES: dict[str, Suite] = {
    "basic": basic.SUITE,
    "copymove": copymove.SUITE,
    "props": props.SUITE,
    "locks": locks.SUITE,
    "http": http.SUITE,
}
NAMES = [(suite, number, name) for suite, tests in SUITES.items() for number, (name, _) in enumerate(tests)]
"""Every test: suite, number, name."""


def run(url: str, user: str, password: str, suites: list[str] | None = None) -> Iterator[Result]:
    """The results of all suites, or of the named ones, as they come."""
    for name in suites or list(SUITES):
        yield from run_suite(name, SUITES[name], url, user, password)
