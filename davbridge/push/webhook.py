"""A drive's webhook: Graph POSTs to the bridge's public address after changes (facts: Graph §5.2).

Its notifications come in through `endpoint`, in whatever worker process; this is the part that keeps the subscription
alive. It lives for a day and is renewed at half of it, so that a bridge that is switched off for good is called in
vain for a day, and not for the month that Graph would allow.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.errors import AlreadyExists, BadUpstream, BridgeError, NotFound, Unsupported
from davbridge.graph import Graph
from davbridge.graph.subscriptions import (
    Subscription,
    create_subscription,
    delete_subscription,
    find_subscriptions,
    renew_subscription,
)
from davbridge.push.attempt import attempt
from davbridge.push.channel import Stopped
from davbridge.push.table import Kept, SubscriptionTable
from davbridge.redact import Secret
from davbridge.transport import HostRules

log = logging.getLogger(__name__)
T = TypeVar("T")
PLACE = "/.davbridge/notify/"
_LIFE = timedelta(days=1)
_SOONEST = timedelta(seconds=60)
_CALL_SECONDS = 30.0
_LOOK_SECONDS = 0.25
_GOODBYE_SECONDS = 0.5
_MOST_REFUSALS = 6


@dataclass(frozen=True)
class WebhookSettings:
    """`public_url` as people use it; `name`: the stem of the drive's mirror file; `table`: in the state file."""

    public_url: str
    name: str
    table: SubscriptionTable

    @property
    def url(self) -> str:
        """What Graph is told to call."""
        return f"{self.public_url.rstrip('/')}{PLACE}{self.name}"


def is_public(url: str | None) -> bool:
    """Whether Graph could call a server at `url`: https; or plain http on loopback, which an emulator takes."""
    if not url or not urlsplit(url).scheme:
        return False
    with contextlib.suppress(BadUpstream):
        HostRules(url).check(url)
        return True
    return False


class WebhookWay:
    """Keeps one subscription alive while it listens, and deletes it in the end."""

    name = "webhook"

    def __init__(self, graph: Graph, drive_id: str, settings: WebhookSettings, clock: Clock) -> None:
        self._graph = graph
        self._drive_id = drive_id
        self._settings = settings
        self._clock = clock
        self._refusals = 0

    def listen(self, stop: threading.Event, connected: Callable[[], None], changed: Callable[[], None]) -> None:
        """As `Way.listen`, for half of the subscription's life; `changed` is not called from here."""
        begun = self._clock.now()
        living = self._renewed(stop) or self._created(stop)
        self._refusals = 0
        renew_at = begun + max(((living.expires or begun + _LIFE) - begun) / 2, _SOONEST)
        connected()
        while self._clock.now() < renew_at and not stop.wait(_LOOK_SECONDS):
            pass

    def close(self) -> None:
        """Delete the subscription, if that can be done at once; else the next start renews it, or it expires."""
        name, table = self._settings.name, self._settings.table
        try:
            kept = table.get(name)
            if kept is not None and kept.id:
                self._delete(kept.id, threading.Event(), _GOODBYE_SECONDS)
                table.forget(name)
        except (BridgeError, Stopped) as error:
            log.debug("a subscription is left behind: %s", error)
        finally:
            table.close()

    def _renewed(self, stop: threading.Event) -> Subscription | None:
        """The one that is kept, with a new life; None when there is none, or Graph knows it no more."""
        kept = self._settings.table.get(self._settings.name)
        if kept is None or not kept.id or kept.expires is None or kept.expires < self._clock.now():
            return None
        if kept.url != self._settings.url:
            with contextlib.suppress(BridgeError):
                self._delete(kept.id, stop)
            return None
        try:
            living = self._ask(stop, lambda: renew_subscription(self._graph, kept.id, self._clock.now() + _LIFE))
        except NotFound:
            return None
        self._keep(kept, living)
        return living

    def _created(self, stop: threading.Event) -> Subscription:
        """A new one. Its `clientState` is kept first: Graph calls before it answers."""
        wanted = Kept(self._settings.url, Secret(secrets.token_urlsafe(32)))
        self._settings.table.put(self._settings.name, wanted)
        try:
            living = self._ask(
                stop, lambda: self._create(wanted), lambda living: delete_subscription(self._graph, living.id)
            )
        except BadUpstream as error:
            # at the start the server may not be reachable yet; later nothing changes by asking again and again
            self._refusals += 1
            if self._refusals >= _MOST_REFUSALS:
                self._refusals = 0
                raise Unsupported(str(error)) from None
            raise
        self._keep(wanted, living)
        return living

    def _create(self, wanted: Kept) -> Subscription:
        try:
            return self._post(wanted)
        except AlreadyExists:
            # ours, of an answer that was lost or of a state file that was: its clientState is not known for certain
            ours = find_subscriptions(self._graph, wanted.url)
            if not ours:
                raise Unsupported("another program with this app registration is told of the drive's changes") from None
            for subscription_id in ours:
                delete_subscription(self._graph, subscription_id)
            return self._post(wanted)

    def _post(self, wanted: Kept) -> Subscription:
        expires = self._clock.now() + _LIFE
        return create_subscription(self._graph, self._drive_id, url=wanted.url, state=wanted.state, expires=expires)

    def _keep(self, kept: Kept, living: Subscription) -> None:
        expires = living.expires or self._clock.now() + _LIFE
        self._settings.table.put(self._settings.name, replace(kept, id=living.id, expires=expires))

    def _delete(self, subscription_id: str, stop: threading.Event, patience: float | None = None) -> None:
        self._ask(stop, lambda: delete_subscription(self._graph, subscription_id), patience=patience)

    def _ask(
        self,
        stop: threading.Event,
        work: Callable[[], T],
        discard: Callable[[T], None] = lambda result: None,
        patience: float | None = None,
    ) -> T:
        """A call to Graph that `stop` does not wait for."""

        def call() -> T:
            with deadline.within(self._clock, _CALL_SECONDS):
                return work()

        return attempt(stop, call, discard=discard, patience=patience)
