"""For whom a call to Microsoft is made, and for what: the transport serves users in turn, and each purpose has room.

Set where a DAV request enters, and good for all that its thread does until the next request, the streaming of the
answer included. It travels in a context variable, as the deadline does, since only the lowest layer uses it. A thread
that nobody has told works for the bridge itself: polls, recovery, commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Purpose(Enum):
    """What a request is about: names and properties, a content that is read or written, or nobody's request."""

    METADATA = "metadata"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    BACKGROUND = "background"


class Caller(NamedTuple):
    """`user` is the DAV user; empty for nobody."""

    user: str
    purpose: Purpose


BACKGROUND = Caller("", Purpose.BACKGROUND)
_PURPOSES = {"GET": Purpose.DOWNLOAD, "PUT": Purpose.UPLOAD}

_current: ContextVar[Caller] = ContextVar("davbridge_caller", default=BACKGROUND)


def serve(user: str, method: str) -> None:
    """This thread works on a request of `user` from now on."""
    _current.set(_caller(user, method))


@lru_cache(1024)  # every request passes here, and few users send few methods
def _caller(user: str, method: str) -> Caller:
    return Caller(user, _PURPOSES.get(method, Purpose.METADATA))


@contextmanager
def acting_for(caller: Caller) -> Iterator[None]:
    """What happens in the block is done for `caller`: for a thread that helps with somebody's request."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Caller:
    """Whom this thread works for."""
    return _current.get()
