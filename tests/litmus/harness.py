"""Running suites as litmus does: in order, a verdict each, and skips once what the rest depends on has failed."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tests.support.dav import Answer, Dav

Verdict = Literal["pass", "FAIL", "SKIPPED"]


class Fail(Exception):
    """The test has failed."""


class Skip(Exception):
    """The test cannot be run."""


@dataclass(frozen=True)
class Result:
    """One test. Warnings do not change a verdict, as in litmus."""

    suite: str
    number: int
    name: str
    verdict: Verdict
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass
class Session:
    """What the tests of one suite share: a client in `litmus/`, a second one, and notes from test to test."""

    dav: Dav
    other: Dav
    notes: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def succeed(self, answer: Answer, what: str) -> Answer:
        """Fail unless 2xx."""
        if not 200 <= answer.status < 300:
            raise Fail(f"{what}: {answer.status}")
        return answer

    def refuse(self, answer: Answer, what: str, *expected: int) -> Answer:
        """Fail on 2xx; warn when the status is not one of `expected`."""
        if 200 <= answer.status < 300:
            raise Fail(f"{what} succeeded ({answer.status})")
        if expected and answer.status not in expected:
            self.warn(f"{what} gave {answer.status}, not {' or '.join(map(str, expected))}")
        return answer

    def demand(self, answer: Answer, what: str, status: int) -> Answer:
        """Fail unless exactly `status`."""
        if answer.status != status:
            raise Fail(f"{what} gave {answer.status}, not {status}")
        return answer

    def need(self, note: str) -> str:
        """A note that an earlier test should have left."""
        if note not in self.notes:
            raise Skip(f"{note} is missing")
        return self.notes[note]


Test = Callable[[Session], None]
Suite = list[tuple[str, Test]]


def init(session: Session) -> None:
    """The server answers at all."""
    session.dav.options("")


def begin(session: Session) -> None:
    """A fresh collection for the suite."""
    session.dav.delete("")
    session.succeed(session.dav.mkcol(""), "MKCOL of the test collection")


def finish(session: Session) -> None:
    """Clean up."""
    session.dav.delete("")


def whole(suite: Suite) -> Suite:
    """With the first two and the last test that every suite has."""
    return [("init", init), ("begin", begin), *suite, ("finish", finish)]


def run_suite(name: str, suite: Suite, url: str, user: str, password: str) -> Iterator[Result]:
    """The results, one by one. A failure of the first two skips the rest."""
    parts = urlsplit(url)
    base, root = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/") + "/litmus/"
    dav = Dav(base, user, password, root).as_agent(f"litmus/0.13 python {name}")
    other = Dav(base, user, password, root).as_agent(f"litmus/0.13 python {name} (second)")
    session = Session(dav, other)
    broken = False
    try:
        for number, (test, function) in enumerate(suite):
            session.warnings.clear()
            verdict, message = ("SKIPPED", "") if broken else _run(function, session)
            broken = broken or (verdict == "FAIL" and number < 2)
            yield Result(name, number, test, verdict, message, tuple(session.warnings))
    finally:
        dav.close()
        other.close()


def _run(function: Test, session: Session) -> tuple[Verdict, str]:
    try:
        function(session)
    except Fail as failure:
        return "FAIL", str(failure)
    except Skip as skip:
        return "SKIPPED", str(skip)
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        return "FAIL", f"{type(error).__name__}: {error}"
    return "pass", ""
