"""Where a folder is mounted already: by which policy of the configuration, and at which path."""

from __future__ import annotations

from dataclasses import dataclass

from davbridge import deadline
from davbridge.app import build
from davbridge.cli.proposal import Folder
from davbridge.cli.session import SECONDS
from davbridge.clock import SystemClock
from davbridge.config import Config, Policy
from davbridge.drivers.graphdriver import Place
from davbridge.drivers.roots import folder_path
from davbridge.errors import BridgeError
from davbridge.graph.pasted import SitePath, read_pasted
from davbridge.paths import fold


@dataclass(frozen=True)
class Mounted:
    """`path`: of the folder, as DAV clients see it."""

    policy: str
    path: str


def mounted(config: Config, account: str, folder: Folder) -> Mounted | None:
    """The policy of the account that shows the folder; None for none, or where nobody can tell."""
    clock = SystemClock()
    bridge = build(config, clock)
    try:
        with deadline.within(clock, SECONDS):
            for name, driver in bridge.drivers.items():
                policy = config.policies[name]
                if policy.account != account:
                    continue
                try:
                    driver.probe()
                except BridgeError:
                    continue  # `check` says what is wrong with it
                if driver.place and (below := _below(policy, driver.place, folder)) is not None:
                    return Mounted(name, "/".join((policy.mount, *below)))
    finally:
        bridge.close()
    return None


def _below(policy: Policy, place: Place, folder: Folder) -> tuple[str, ...] | None:
    """The names from the policy's root down to the folder."""
    if fold(place.root.drive_id) != fold(folder.drive.id):
        return None  # also for a root that a shortcut leads to: what lies below it is in another drive
    if place.root.item_id == folder.item_id:
        return ()
    if folder.path is None or (policy.site and not isinstance(read_pasted(policy.site), SitePath)):
        return None  # `root` is below what a link leads to, and nobody tells where that is
    root = folder_path(place.root_name)
    names = folder.path.names[: len(root.names)]
    inside = [fold(name) for name in names] == [fold(name) for name in root.names]
    return folder.path.names[len(root.names) :] if inside else None
