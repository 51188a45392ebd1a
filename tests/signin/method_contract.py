"""What every sign-in method must do, whoever signs in and however."""

from __future__ import annotations

from typing import Any

import pytest

from davbridge import deadline
from davbridge.accounts import scopes
from davbridge.app import build
from davbridge.clock import SystemClock
from davbridge.emulator.faults import Aadsts, Status
from davbridge.errors import BridgeError, Busy, ConfigError, NeedsSignIn
from davbridge.tokens import METHODS, report
from tests.signin.conftest import Place, Visitor


class MethodContract:
    """A subclass names the method's keys in `changes`, and registers with the emulator what they need."""

    operation = "token"
    """The emulator's name of the endpoint that gives tokens."""

    @pytest.fixture
    def changes(self, place: Place) -> dict[str, Any]:
        raise NotImplementedError

    def visitor(self, place: Place) -> Visitor:
        return place.visitor()

    def test_a_token_that_graph_takes(self, place: Place, changes: dict[str, Any]) -> None:
        """Signed in, the drive is found: the token is one of this account."""
        place.sign_in(self.visitor(place), **changes)
        token = place.open(**changes).token()
        assert place.emulator.world.tokens[token.reveal()].good

    def test_the_bridge_serves(self, place: Place, changes: dict[str, Any]) -> None:
        """The whole bridge works with it, from a restart on."""
        config = place.with_(**changes)
        place = Place(place.emulator, config.state.folder(), config, place.clock, place.stack)
        place.sign_in(self.visitor(place), **changes)
        bridge = build(config, SystemClock())
        with deadline.within(SystemClock(), 30):
            told = [driver.probe() for driver in bridge.drivers.values()]
        bridge.close()
        assert len(told) == 2

    def test_a_refused_token_is_replaced(self, place: Place, changes: dict[str, Any]) -> None:
        """Another one comes, also from a second process, and it is asked for once."""
        place.sign_in(self.visitor(place), **changes)
        one, two = place.open(**changes), place.open(**changes)
        first = one.token()
        assert two.token() == first
        with place.emulator.calls.counting() as calls:
            second = one.token(refused=first)
            assert two.token(refused=first) == second
        assert second != first
        assert sum(call.operation == self.operation for call in calls.calls) == 1

    def test_trouble_that_passes(self, place: Place, changes: dict[str, Any]) -> None:
        """A 503 in between is waited out, and told as what it is when it stays."""
        place.sign_in(self.visitor(place), **changes)
        account = place.open(**changes)
        place.emulator.faults.add(self.operation, Status(503))
        token = account.token(refused=account.token())
        place.emulator.faults.add(self.operation, Status(503), times=99)
        with deadline.within(place.clock, 0.1), pytest.raises(BridgeError) as error:
            account.token(refused=token)
        assert isinstance(error.value, Busy)
        assert not isinstance(error.value, NeedsSignIn)

    def test_a_refusal_is_explained(self, place: Place, changes: dict[str, Any]) -> None:
        """Missing consent: by the person's next sign-in, or by an administrator where there is no person."""
        place.sign_in(self.visitor(place), **changes)
        account = place.open(**changes)
        token = account.token()
        place.emulator.faults.add(self.operation, Aadsts(65001))
        with pytest.raises(BridgeError, match="Grant admin consent") as error:
            account.token(refused=token)
        needs_person = METHODS[account.settings.method].needs_person
        assert isinstance(error.value, NeedsSignIn if needs_person else ConfigError)
        assert ("davbridge login" in str(error.value)) == needs_person

    def test_nothing_shows_a_secret(self, place: Place, changes: dict[str, Any]) -> None:
        """Neither the account nor its settings, its record or its report has one in its `repr`."""
        visitor = self.visitor(place)
        place.sign_in(visitor, **changes)
        account = place.open(**changes)
        token = account.token().reveal()
        record = account.store.peek("contoso")
        shown = repr((account, account.settings, record, record.grant, report(account), account.asking))
        hidden = [token, place.emulator.client_secret, *place.emulator.world.refresh_tokens]
        assert not [secret for secret in hidden if secret in shown]
        assert not [path for path in account.store._folder.glob("*.tokens") if token.encode() in path.read_bytes()]

    def test_it_is_reported(self, place: Place, changes: dict[str, Any]) -> None:
        """`status` knows state, who, tenant, scopes and times."""
        place.sign_in(self.visitor(place), **changes)
        told = report(place.open(**changes))
        assert told.state == "ok"
        assert told.method == changes.get("sign_in", told.method)
        assert told.last_refresh
        assert told.token_ends > told.last_refresh
        if METHODS[told.method].needs_person:  # type: ignore[index]
            assert told.who == place.emulator.user
            assert set(told.scopes) >= set(scopes(place.with_(**changes), "contoso"))
            assert told.sign_in_ends > told.token_ends
