"""docs/dav-compliance.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from davbridge.dav.properties import CLARK
from davbridge.dav.provider import VERBS
from davbridge.dav.verbs.options import ALLOW

PAGE = (Path(__file__).parents[3] / "docs" / "dav-compliance.md").read_text()


def rows(title: str) -> dict[str, tuple[str, str]]:
    """State and remark by the first cell, for the table under a heading."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (yes|part|no) \| (.*?) ?\|$", section, re.MULTILINE)
    return {name: (state, remark) for cells, state, remark in found for name in cells.split(", ")}


def test_methods() -> None:
    """Every method that is answered is on the page, and none more."""
    answered = {name for name, (state, _) in rows("Methods").items() if state != "no"}
    assert answered == set(VERBS) == set(ALLOW.split(", "))


def test_live_properties() -> None:
    """So are the live properties."""
    answered = {name for name, (state, _) in rows("Live properties").items() if state != "no"}
    assert answered == set(CLARK.values())


def test_every_lack_has_a_reason() -> None:
    """What is missing, in whole or in part, says why."""
    for title in ("Methods", "Request headers", "Live properties"):
        for name, (state, remark) in rows(title).items():
            assert state == "yes" or remark, name
