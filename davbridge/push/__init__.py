"""Hearing of changes at once: a channel to Microsoft that says "something has changed", never what.

A channel only makes the mirror's poller ask earlier than it would have; it never replaces the polls, since all that it
tells may be lost. Two ways: a socket.io connection that the bridge opens (`socket`), and a webhook that Graph calls
(`webhook`, with `endpoint` on our side) where the bridge has a public address.
"""

from davbridge.push.channel import Pacing, PushChannel, State
from davbridge.push.endpoint import NotifyEndpoint
from davbridge.push.open import open_channel
from davbridge.push.table import SubscriptionTable
from davbridge.push.webhook import WebhookSettings, is_public

__all__ = [
    "NotifyEndpoint",
    "Pacing",
    "PushChannel",
    "State",
    "SubscriptionTable",
    "WebhookSettings",
    "is_public",
    "open_channel",
]
