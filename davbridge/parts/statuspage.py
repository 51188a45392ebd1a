"""The status page of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from davbridge.auth import Gate
from davbridge.config import Config
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.page import PagePolicy, PageUser, StatusPage
from davbridge.parts.ground import Ground
from davbridge.tokens import SignedInAccount


def status_page(
    application: Any,
    config: Config,
    ground: Ground,
    gate: Gate,
    accounts: Mapping[str, SignedInAccount],
    drivers: Mapping[str, GraphDriver],
) -> StatusPage:
    """The page in front of `application`, with the gate's passwords and delays."""
    proxy = config.server.behind_proxy
    return StatusPage.open(
        application,
        ground.folder,
        ground.clock,
        passwords=gate.passwords,
        users={name: PageUser(user.password, user.admin) for name, user in config.users.items()},
        accounts=accounts,
        policies={
            name: PagePolicy(one.mount, one.driver, one.place, one.account, one.root, one.access, drivers[name])
            for name, one in config.policies.items()
        },
        public_url=proxy.public_url or "" if proxy else "",
    )
