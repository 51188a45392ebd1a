"""What the page does to requests that are not its own: as little as can be."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from davbridge.auth import Passwords, TooManyGuesses
from davbridge.clock import ManualClock
from davbridge.page import PageUser, StatusPage
from davbridge.page.forms import token_for
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


class Beset:
    """Passwords that as many people guess at as may."""

    def is_right(self, name: str, password: str, address: str) -> bool:
        raise TooManyGuesses


def test_when_too_many_guess(inside: Application, tmp_path: Path) -> None:
    """503 and when to come again; no thread sits the pause out."""
    clock, answers = ManualClock(), []
    page = StatusPage.open(
        inside,
        tmp_path,
        clock,
        passwords=Beset(),  # type: ignore[arg-type]
        users={"alice": PageUser("", admin=True)},
        accounts={},
        policies={},
    )
    visitor = "A" * 32
    body = urlencode({"name": "alice", "password": "x", "token": token_for(visitor)}).encode()
    environ = {
        **{"PATH_INFO": "/.davbridge/login", "REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "same-origin"},
        **{"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(body))},
        **{"HTTP_COOKIE": f"davbridge-form={visitor}", "wsgi.input": io.BytesIO(body)},
    }
    page(environ, lambda status, headers: answers.append((status, dict(headers))))
    page.close()
    ((status, headers),) = answers
    assert status.startswith("503")
    assert headers["Retry-After"] == "5"
    assert clock.pauses == []
    assert inside.calls == []
