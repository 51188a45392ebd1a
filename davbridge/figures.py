"""The bridge in figures: what `/metrics` tells of each policy and account, from the files that all workers share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import get_args

from davbridge.drivers.graphdriver import GraphDriver
from davbridge.edge.metrics import Gauge
from davbridge.errors import BridgeError
from davbridge.graph import Graph
from davbridge.tokens import SignedInAccount, report
from davbridge.tokens.report import State

_STATES = ("new", "first", "live", "resync", "merge", "merging", "none")


def figures(
    drivers: Mapping[str, GraphDriver],
    accounts: Mapping[str, SignedInAccount],
    graphs: Mapping[str, Graph],
    not_found: Collection[str] = (),
) -> Iterator[Gauge]:
    """Of every account, and of every policy whose drive this process has found. Nobody is asked.

    `graphs` by the accounts' names; `not_found`: the policies whose drive was sought in vain (`seeking`).
    """
    yield from _policies(drivers, not_found)
    yield from _accounts(accounts)
    for name, graph in graphs.items():
        yield Gauge(
            "davbridge_graph_pause_seconds",
            "Until the next call may leave; 0 while Graph neither throttles us nor is about to.",
            {"account": name},
            graph.transport.pause,
        )


def _policies(drivers: Mapping[str, GraphDriver], not_found: Collection[str]) -> Iterator[Gauge]:
    for name, driver in drivers.items():
        try:
            report = driver.report() if driver.is_open else None
        except BridgeError:
            report = None
        labels = {"policy": name}
        if driver.is_open or name in not_found:  # else another worker knows better
            yield Gauge(
                "davbridge_policy_found", "1 when the policy's drive has been found.", labels, float(driver.is_open)
            )
        if (kept := driver.kept) is not None:
            yield Gauge("davbridge_cache_bytes", "Size of the contents that are kept on disk.", labels, kept)
        if report is None:
            continue
        yield Gauge("davbridge_mirror_live", "1 while listings cost no call.", labels, float(report.live))
        yield Gauge("davbridge_mirror_items", "Items that are known.", labels, report.items)
        yield Gauge("davbridge_mirror_enumerated_items", "Items of the enumeration under way.", labels, report.seen)
        yield Gauge("davbridge_mirror_bytes", "Size of the mirror's file.", labels, report.bytes)
        if report.age is not None:
            yield Gauge("davbridge_mirror_age_seconds", "Since the last finished round began.", labels, report.age)
        for state in _STATES:
            which = {**labels, "state": state}
            yield Gauge(
                "davbridge_mirror_state", "1 for the state that delta is in.", which, float(state == report.state)
            )


def _accounts(accounts: Mapping[str, SignedInAccount]) -> Iterator[Gauge]:
    for name, account in accounts.items():
        told = report(account)
        for state in get_args(State):
            which = {"account": name, "state": state}
            yield Gauge("davbridge_account_state", "1 for the state of the sign-in.", which, float(state == told.state))
        now = account.clock.now()
        ends = {"sign-in": told.sign_in_ends, told.method.removeprefix("client_"): told.expires}
        for what, moment in ends.items():
            if moment:
                left = (datetime.fromisoformat(moment) - now).total_seconds()
                yield Gauge(
                    "davbridge_account_expires_seconds",
                    "Until the secret or certificate ends, or the sign-in if nobody uses it; negative afterwards.",
                    {"account": name, "what": what},
                    left,
                )
