"""Pages and files that must agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_service_can_read_its_configuration() -> None:
    """The folder is root's and the user a dynamic one: others must be let in, and secrets come as credentials."""
    unit = (ROOT / "systemd" / "davbridge.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert settings["DynamicUser"] == "yes"
    assert settings.get("ConfigurationDirectoryMode", "0755") == "0755"


def test_setup_entra_knows_what_the_bridge_says() -> None:
    """Each way to sign in has its section, and each code and quoted sentence is one that the bridge has."""
    from davbridge.tokens import METHODS
    from davbridge.tokens.advice import ADVICE

    page = (ROOT / "docs" / "setup-entra.md").read_text()
    for method in METHODS:
        assert re.search(rf"^## 2\w\. .*`{method}`", page, re.MULTILINE), method
    lists = re.findall(r"AADSTS(\d+(?:, \d+)*)", page)
    codes = {int(code) for found in lists for code in found.split(", ")}
    assert len(codes) > 10
    assert codes <= set(ADVICE)
    said = "\n".join(file.read_text() for file in (ROOT / "davbridge").rglob("*.py"))
    said = re.sub(r'"\s*f?"', "", said)  # strings that are written in parts
    for sentence in re.findall(r"`(\w+(?: [\w.]+){2,})`", page):
        if not sentence.startswith("davbridge"):
            assert sentence in said, sentence


def test_the_metrics_are_written_down() -> None:
    """Each series that the program names is in the table, the ones that are seldom told included, and none more.

    What the table says of them is compared with the running program in tests/service/test_metrics.py.
    """
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(davbridge_\w+)` \|", page, re.MULTILINE)
    named = re.findall(r'\bGauge\(\s*"(davbridge_\w+)"', (ROOT / "davbridge" / "figures.py").read_text())
    assert rows
    assert sorted(rows) == sorted(named)
    assert set(re.findall(r"\bdavbridge_\w+_\w+", page)) <= set(rows)


def test_the_laws_are_written_down() -> None:
    """Every law that a comment or a page cites is in docs/architecture.md."""
    laws = (ROOT / "docs" / "architecture.md").read_text().split("## The laws")[1].split("\n## ")[0]
    known = set(re.findall(r"^(\d)\. ", laws, re.MULTILINE))
    files = [*(ROOT / "davbridge").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    cited = {number for file in files for number in re.findall(r"\blaw (\d)", file.read_text())}
    assert cited
    assert cited <= known
    assert known == set("12345678")
