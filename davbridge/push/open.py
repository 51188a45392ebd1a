"""Which ways of listening a drive has."""

from __future__ import annotations

from davbridge.clock import Clock
from davbridge.graph import Graph
from davbridge.push.channel import Pacing, PushChannel, Way
from davbridge.push.listening import Listening
from davbridge.push.socket import SocketWay
from davbridge.push.webhook import WebhookSettings, WebhookWay, is_public


def open_channel(
    graph: Graph,
    drive_id: str,
    *,
    verify: str | bool,
    clock: Clock,
    webhook: WebhookSettings | None = None,
    pacing: Pacing | None = None,
) -> PushChannel:
    """A channel for a drive; nothing is sent before it runs. `verify` as in `transport.wire.Wire`.

    The socket comes first: it needs nothing from outside, and a public address may be one that a home network
    knows. The webhook is for drives and clouds without a socket.
    """
    ways: list[Way] = [SocketWay(graph, drive_id, verify=verify, clock=clock)]
    if webhook is not None and is_public(webhook.public_url):
        ways.append(WebhookWay(graph, drive_id, webhook, clock))
    return Listening(ways, drive_id, clock, pacing)
