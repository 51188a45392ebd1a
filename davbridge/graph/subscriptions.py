"""Being told of changes: the socket.io address of a drive, and webhooks (facts: Graph §5.2, §5.3).

Every call here is made once: whoever listens has a rhythm of its own for trying again (`davbridge.push`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from davbridge.errors import AlreadyExists, BadUpstream, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.decode import iso
from davbridge.graph.failures import raise_for
from davbridge.redact import Secret
from davbridge.transport import Reply

_NOT_OFFERED = frozenset({400, 403, 404, 405, 406, 501})


@dataclass(frozen=True)
class SocketAddress:
    """`url` is pre-authenticated; `expires` is None when Graph does not say."""

    url: Secret
    expires: datetime | None


@dataclass(frozen=True)
class Subscription:
    """A webhook of ours at Graph."""

    id: str
    expires: datetime | None


def get_socket_address(graph: Graph, drive_id: str) -> SocketAddress:
    """Where to listen for changes of a drive (§5.3).

    Raises:
        Unsupported: this drive or cloud does not offer it.
    """
    reply = graph.send("GET", f"/drives/{quote(drive_id, safe='!')}/root/subscriptions/socketIo", once=True)
    _offered(reply)
    json = reply.json()
    url = json.get("notificationUrl")
    if not isinstance(url, str) or not url:
        raise BadUpstream("Microsoft named no address for notifications")
    return SocketAddress(Secret(url), _moment(json.get("expirationDateTime")))


def create_subscription(graph: Graph, drive_id: str, *, url: str, state: Secret, expires: datetime) -> Subscription:
    """Let Graph POST to `url` after changes; it asks there for a token first, within this call (§5.2).

    Raises:
        AlreadyExists: there is one for this drive.
        BadUpstream: refused (400), most of the time since `url` cannot be reached from outside.
        Unsupported: this drive or cloud does not offer it.
    """
    body = {
        "changeType": "updated",
        "notificationUrl": url,
        "resource": f"/drives/{drive_id}/root",
        "expirationDateTime": iso(expires),
        "clientState": state.reveal(),
    }
    reply = graph.send("POST", "/subscriptions", body=body, once=True)
    if reply.status == 400:
        raise BadUpstream("Microsoft cannot reach the bridge at its public address")
    if reply.status == 409:
        raise AlreadyExists("a subscription for this drive exists already")
    _offered(reply)
    return _subscription(reply)


def renew_subscription(graph: Graph, subscription_id: str, expires: datetime) -> Subscription:
    """Raises NotFound when it is gone."""
    reply = graph.send(
        "PATCH", _place(subscription_id), body={"expirationDateTime": iso(expires)}, safe=True, once=True
    )
    raise_for(reply)
    return _subscription(reply)


def delete_subscription(graph: Graph, subscription_id: str) -> None:
    """Also when it is gone already."""
    reply = graph.send("DELETE", _place(subscription_id), safe=True, once=True)
    if reply.status != 404:
        raise_for(reply)


def find_subscriptions(graph: Graph, url: str) -> list[str]:
    """The ids of those that tell `url`."""
    found: list[str] = []
    following: str | None = "/subscriptions"
    while following:
        reply = graph.send("GET", following, once=True)
        raise_for(reply)
        page = reply.json()
        found += [str(one.get("id", "")) for one in page.get("value") or [] if one.get("notificationUrl") == url]
        following = page.get("@odata.nextLink")
    return found


def _place(subscription_id: str) -> str:
    return f"/subscriptions/{quote(subscription_id, safe='')}"


def _offered(reply: Reply) -> None:
    if reply.status in _NOT_OFFERED:
        raise Unsupported(f"Microsoft does not offer it for this drive ({reply.status})")
    raise_for(reply)


def _subscription(reply: Reply) -> Subscription:
    json = reply.json()
    if not json.get("id"):
        raise BadUpstream("Microsoft answered without the subscription's id")
    return Subscription(str(json["id"]), _moment(json.get("expirationDateTime")))


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
