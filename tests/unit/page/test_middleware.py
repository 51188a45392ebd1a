"""What the page does to requests that are not its own: as little as can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davbridge.auth import Passwords
from davbridge.clock import ManualClock
from davbridge.page import StatusPage
from davbridge.page.transfers import SMALLEST


class Application:
    """Remembers with what it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any]] = []
        self.body: Iterable[bytes] = [b"x"]
        self.headers = [("Content-Length", "1")]
        self.status = "200 OK"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls.append((environ, start_response))
        start_response(self.status, self.headers)
        return self.body


@pytest.fixture
def inside() -> Application:
    """What lies behind."""
    return Application()


@pytest.fixture
def page(inside: Application, tmp_path: Path) -> Iterator[StatusPage]:
    """A page without users, accounts and policies."""
    clock = ManualClock()
    passwords = Passwords({}, clock)
    opened = StatusPage.open(inside, tmp_path, clock, passwords=passwords, users={}, accounts={}, policies={})
    yield opened
    opened.close()


def start(status: str, headers: Any, exc_info: Any = None) -> None:
    """The server's."""


@pytest.mark.parametrize("method", ["PROPFIND", "OPTIONS", "HEAD"])
def test_what_is_asked_most_is_not_touched(page: StatusPage, inside: Application, method: str) -> None:
    """The very same environ, function and body go through."""
    environ = {"PATH_INFO": "/me/", "REQUEST_METHOD": method}
    assert page(environ, start) is inside.body
    assert inside.calls == [(environ, start)]
    assert inside.calls[0][0] is environ


@pytest.mark.parametrize("path", ["/", "/me/.davbridge/", "/.davbridgex", "/.Davbridge/", ""])
def test_only_its_own_path_is_its_own(page: StatusPage, inside: Application, path: str) -> None:
    """Everything else is DAV's."""
    page({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, start)
    assert len(inside.calls) == 1


def test_only_large_answers_are_followed(page: StatusPage, inside: Application) -> None:
    """Neither small ones nor errors."""
    environ = {"PATH_INFO": "/me/a", "REQUEST_METHOD": "GET"}
    assert page(environ, start) is inside.body
    inside.headers = [("Content-Length", str(SMALLEST))]
    followed = page(environ, start)
    assert followed is not inside.body
    assert list(followed) == [b"x"]
    followed.close()  # type: ignore[attr-defined] # the server calls it
    inside.status = "404 Not Found"
    assert page(environ, start) is inside.body


@pytest.mark.parametrize("broken", [ConnectionError, RuntimeError])
def test_what_breaks_inside_breaks_through(page: StatusPage, broken: type[Exception]) -> None:
    """The page hides no failure of others."""

    def fail(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise broken

    page._application = fail
    with pytest.raises(broken):
        page(
            {"PATH_INFO": "/me/a", "REQUEST_METHOD": "PUT", "CONTENT_LENGTH": str(SMALLEST), "wsgi.input": None}, start
        )
