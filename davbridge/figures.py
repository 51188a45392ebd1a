"""The bridge in figures: what `/metrics` tells of each policy, read from the files that all workers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from davbridge.drivers.graphdriver import GraphDriver
from davbridge.edge.metrics import Gauge
from davbridge.errors import BridgeError

_STATES = ("new", "first", "live", "resync", "merge", "merging", "none")


def figures(drivers: Mapping[str, GraphDriver]) -> Iterator[Gauge]:
    """Of every policy whose drive has been found; nobody is asked for the others."""
    for name, driver in drivers.items():
        try:
            report = driver.report() if driver.is_open else None
        except BridgeError:
            report = None
        labels = {"policy": name}
        yield Gauge(
            "davbridge_policy_found", "1 when the policy's drive has been found.", labels, float(report is not None)
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
