"""litmus, the program and the harness, run once for each server and suite."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.litmus.servers import PASSWORD, USER, apache, stock_wsgidav, two_workers
from tests.litmus.suites import SUITES, run
from tests.support.world import World

Verdicts = dict[tuple[str, int, str], str]
_LINE = re.compile(r"^\s*(\d+)\. (\w+)\.* +(pass|FAIL|SKIPPED)(?: \(with (\d+) warning)?", re.MULTILINE)


@pytest.fixture(scope="session")
def urls(running: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The URL of a server by its name, started when first asked for: policies of the bridge, and `servers`."""
    known = {"onedrive": running.http + "/me/", "sharepoint": running.http + "/team/"}
    with ExitStack() as stack:

        def url(name: str) -> str:
            if name not in known:
                start = {"wsgidav": stock_wsgidav, "apache": apache, "workers": two_workers}[name]
                known[name] = stack.enter_context(start(tmp_path_factory.mktemp(name)))
            return known[name]

        yield url


@pytest.fixture(scope="session")
def by_program(urls: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Verdicts]:
    """What Debian's litmus says of a server and a suite; warnings count as `warn`."""
    program = shutil.which("litmus")
    known: dict[tuple[str, str], Verdicts] = {}

    def verdicts(server: str, suite: str) -> Verdicts:
        if program is None:
            pytest.skip("litmus is not installed")
        if (server, suite) not in known:
            done = subprocess.run(
                [program, "-k", urls(server), USER, PASSWORD],
                env={"TESTS": suite, "PATH": "/usr/bin:/bin"},
                cwd=tmp_path_factory.mktemp("litmus"),  # it writes its debug log here
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            text = done.stdout.replace("\r", "\n")
            # after a warning the verdict stands on a line of its own, behind dots
            text = re.sub(r"WARNING: [^\n]*\n(?: *WARNING: [^\n]*\n)*[ .]*(?=pass|FAIL)", " ", text)
            found = {(suite, int(number), name): verdict for number, name, verdict, _ in _LINE.findall(text)}
            known[server, suite] = found
            warnings[server, suite] = [line for line in done.stdout.splitlines() if "WARNING" in line]
        return known[server, suite]

    return verdicts


warnings: dict[tuple[str, str], list[str]] = {}
"""The lines with which litmus warned."""


@pytest.fixture(scope="session")
def by_harness(urls: Callable[[str], str]) -> Callable[[str, str], Verdicts]:
    """What the harness says."""
    known: dict[tuple[str, str], Verdicts] = {}

    def verdicts(server: str, suite: str) -> Verdicts:
        assert suite in SUITES
        if (server, suite) not in known:
            results = run(urls(server), USER, PASSWORD, [suite])
            known[server, suite] = {(one.suite, one.number, one.name): one.verdict for one in results}
        return known[server, suite]

    return verdicts
