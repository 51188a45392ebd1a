"""`python -m tests.litmus URL USER PASSWORD [SUITE …]`: exit status 1 when a test fails."""

from __future__ import annotations

import argparse
from itertools import groupby

from tests.litmus.suites import SUITES, run


def main() -> int:
    """Print what litmus prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.litmus", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("suite", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    given = parser.parse_args()
    failed = 0
    for suite, results in groupby(run(given.url, given.user, given.password, given.suite), lambda one: one.suite):
        print(f"-> running `{suite}':")
        counts = {"pass": 0, "FAIL": 0, "SKIPPED": 0}
        for result in results:
            counts[result.verdict] += 1
            extra = f" ({result.message})" if result.message else ""
            warned = f" (with {len(result.warnings)} warnings)" if result.warnings else ""
            print(f"{result.number:2}. {result.name:.<22} {result.verdict}{warned}{extra}", flush=True)
            for warning in result.warnings:
                print(f"    WARNING: {warning}")
        ran = counts["pass"] + counts["FAIL"]
        share = 100 * counts["pass"] / ran if ran else 0
        passed, bad = counts["pass"], counts["FAIL"]
        print(f"<- summary for `{suite}': of {ran} tests run: {passed} passed, {bad} failed. {share:.1f}%")
        failed += counts["FAIL"]
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
