"""Two processes with one account: one refresh serves both. Each is an account object over the same token store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from davbridge.accounts import settings
from davbridge.clock import SystemClock
from davbridge.emulator import Emulator
from davbridge.tokens import SignedInAccount, TokenStore, open_account
from tests.support.world import configuration

Open = Callable[[], SignedInAccount]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One for each test: it counts."""
    with Emulator.start() as running:
        yield running


@pytest.fixture
def open_one(emulator: Emulator, tmp_path: Path) -> Iterator[Open]:
    """Opens the account as another process does."""
    config = configuration(emulator, tmp_path)
    with ExitStack() as stack:

        def open_() -> SignedInAccount:
            opened = open_account(settings(config, "contoso"), TokenStore(tmp_path / "tokens"), SystemClock())
            stack.callback(opened.close)
            return opened

        yield open_


def issued(emulator: Emulator, act: Callable[[], object]) -> int:
    """How many tokens Entra issued meanwhile."""
    with emulator.calls.counting() as calls:
        act()
    return sum(call.kind == "login" and call.method == "POST" for call in calls.calls)


def test_the_second_takes_the_stored_one(emulator: Emulator, open_one: Open) -> None:
    """Nothing is asked of Entra for a token that is there already."""
    one, two = open_one(), open_one()
    first = one.token().reveal()
    assert issued(emulator, two.token) == 0
    assert two.token().reveal() == first


def test_a_refresh_of_one_serves_both(emulator: Emulator, open_one: Open) -> None:
    """Graph refuses the token to both: one refreshes, the other takes what it has stored."""
    one, two = open_one(), open_one()
    old = one.token()
    assert two.token() == old
    assert issued(emulator, lambda: one.token(refused=old)) == 1
    assert issued(emulator, lambda: two.token(refused=old, claims='{"a":1}')) == 0
    assert old != two.token() == one.token()


def test_a_stored_token_that_is_refused_is_refreshed(emulator: Emulator, open_one: Open) -> None:
    """When Graph does not take the stored one either, the next refresh is a real one."""
    one, two = open_one(), open_one()
    first = one.token()
    two.token()
    second = one.token(refused=first)
    assert two.token(refused=first) == second
    assert issued(emulator, lambda: two.token(refused=second)) == 1
    assert one.token() == second
    assert one.token(refused=second) == two.token()
