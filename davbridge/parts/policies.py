"""From a policy of the configuration to the driver that gives it its tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davbridge.config import Policy
from davbridge.dav.locks import LockTable
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.onedrive import OneDrive
from davbridge.drivers.sharepoint import SharePoint
from davbridge.graph import Graph
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.pollers import Pollers
from davbridge.parts.ground import Ground
from davbridge.paths import DavPath
from davbridge.push import PushChannel


@dataclass(frozen=True)
class DriverParts:
    """What all drivers of a bridge share."""

    ground: Ground
    pollers: Pollers
    channel: Callable[[str, Graph, str, Path], PushChannel]
    """See `microsoft.channels`."""


def make_driver(name: str, policy: Policy, graph: Graph, parts: DriverParts) -> GraphDriver:
    """The driver of a policy; it looks its drive up with the first request."""

    def watch(graph: Graph, drive_id: str, file: MirrorFile) -> Callable[[], None]:
        def channel() -> PushChannel:
            return parts.channel(policy.account, graph, drive_id, file.path)

        return parts.pollers.watch(graph, drive_id, file, name, policy.poll, channel if policy.push else None)

    shared: dict[str, Any] = {
        "root": policy.root,
        "clock": parts.ground.clock,
        "mirrors": parts.ground.mirrors,
        "account": policy.account,
        "watch": watch,
        "uploads": parts.ground.uploads,
        "desk": parts.ground.desks.of(name, policy.account),
        "contents": parts.ground.content_cache(name, policy.cache) if policy.cache else None,
    }
    if policy.driver == "onedrive":
        return OneDrive.open(graph, user=policy.user, **shared)
    return SharePoint.open(graph, site=policy.site or "", library=policy.library, drive_id=policy.drive_id, **shared)


def locked(table: LockTable, name: str, access: Mapping[str, str]) -> Callable[[DavPath], bool]:
    """Whether a lock covers a path in the tree of that name, of somebody who may write."""
    return lambda path: any(access.get(lock.user) == "write" for lock in table.covering(name, path))
