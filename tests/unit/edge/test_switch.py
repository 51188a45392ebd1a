"""The switch: who serves, and when a former application has nothing more to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from davbridge.edge import Switch


def says(*words: bytes) -> Any:
    """An application that answers so."""
    return lambda environ, start_response: list(words)


def ask(switch: Switch) -> Any:
    """The body of an answer."""
    return switch({}, lambda *args: None)


def test_the_last_one_serves() -> None:
    """From the moment of the switch on; whoever was asked before goes on to the end."""
    switch = Switch(says(b"one", b"more"))
    body = ask(switch)
    blocks = iter(body)
    assert next(blocks) == b"one"
    leaving = switch.to(says(b"two"))
    other = ask(switch)
    assert list(other) == [b"two"]
    other.close()
    assert not leaving.ended.is_set()
    assert next(blocks) == b"more"
    body.close()
    assert leaving.ended.is_set()
    body.close()


def test_an_idle_application_may_go_at_once() -> None:
    """Also after requests that failed, or whose body nobody has closed."""

    def fails(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError

    switch = Switch(fails)
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        ask(switch)
    assert switch.to(says(b"x")).ended.is_set()
    body = ask(switch)
    leaving = switch.to(says(b"y"))
    assert not leaving.ended.is_set()
    del body
    assert leaving.ended.is_set()


def test_a_body_is_closed() -> None:
    """Once, and the request is over though closing fails."""

    class Body:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            self.closed += 1
            raise OSError

    made = Body()
    switch = Switch(lambda environ, start_response: made)
    body = ask(switch)
    leaving = switch.to(says())
    with pytest.raises(OSError):  # noqa: PT011 - as above
        body.close()
    assert made.closed == 1
    assert leaving.ended.is_set()
