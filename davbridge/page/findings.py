"""How accounts and policies stand, for one view of the page, and what of it is remembered so that views cost nothing.

What only Microsoft knows (is the drive there, how full is it, does the sign-in work) is found out by one worker and
good for all for a while. A view waits for it some seconds at most, and then shows what was known before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.drivers.protocol import Quota
from davbridge.errors import BridgeError
from davbridge.mirror.report import MirrorReport
from davbridge.store.database import Database
from davbridge.tokens import METHODS, AccountReport, SignedInAccount, report

QUOTA_SECONDS, DRIVE_SECONDS, FAILED_SECONDS = 300.0, 10.0, 30.0
"""How long each is believed: the quota, a drive and its mirror, that something cannot be reached."""
_PATIENCE = 8.0


@dataclass(frozen=True)
class PagePolicy:
    """A policy of the configuration, and its driver. `place` is whose drive, or which site and library."""

    mount: str
    kind: str
    place: str
    account: str
    root: str
    access: Mapping[str, str]
    driver: GraphDriver


@dataclass(frozen=True)
class AccountFinding:
    """`message` is the explained error, empty when all is well."""

    name: str
    report: AccountReport
    needs_person: bool
    message: str

    @property
    def is_well(self) -> bool:
        return not self.message


@dataclass(frozen=True)
class PolicyFinding:
    """`drive` is a sentence; `quota_at` when it was told (POSIX seconds). `message` as in accounts."""

    name: str
    policy: PagePolicy
    message: str
    drive: str = ""
    quota: Quota | None = None
    quota_at: float = 0.0
    mirror: MirrorReport | None = None


class Findings:
    """For one bridge's accounts and policies. Raises what `Database` raises."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        accounts: Mapping[str, SignedInAccount],
        policies: Mapping[str, PagePolicy],
    ) -> None:
        self._database = database
        self._clock = clock
        self._accounts = accounts
        self._policies = policies

    def look(self) -> tuple[list[AccountFinding], list[PolicyFinding]]:
        """All of them, in the configuration's order."""
        with deadline.within(self._clock, _PATIENCE):
            accounts = {name: self._account(name, one) for name, one in self._accounts.items()}
            policies = [self._policy(name, one, accounts[one.account]) for name, one in self._policies.items()]
        return list(accounts.values()), policies

    def account(self, name: str) -> AccountFinding:
        """One account. Raises: KeyError."""
        with deadline.within(self._clock, _PATIENCE):
            return self._account(name, self._accounts[name])

    def forget(self, account: str) -> None:
        """Somebody has signed in to the account: look again."""
        mine = [name for name, policy in self._policies.items() if policy.account == account]
        names = [f"account {account}", *(self._key(what, name) for name in mine for what in ("drive", "quota"))]
        with self._database.transaction() as transaction:
            transaction.executemany("DELETE FROM findings WHERE name = ?", [(name,) for name in names])

    def _account(self, name: str, account: SignedInAccount) -> AccountFinding:
        found, needs_person = report(account), METHODS[account.settings.method].needs_person
        message = found.message
        if found.state == "ok" or not needs_person:
            # a wrong secret is in no file: whoever asks for a token hears of it, and mostly there is one
            message = self._remembered(f"account {name}", lambda: (_token(account), DRIVE_SECONDS))[0].get("failed", "")
            found = report(account) if not message and found.message else found
        return AccountFinding(name, found, needs_person, message.removeprefix(f"account {name!r}: "))

    def _policy(self, name: str, policy: PagePolicy, account: AccountFinding) -> PolicyFinding:
        if not account.is_well:
            quota, at = self._known(self._key("quota", name)) or ({}, 0.0)
            return PolicyFinding(name, policy, f"it waits for the account {account.name}", "", _quota(quota), at)
        driver = policy.driver
        value, _ = self._remembered(self._key("drive", name), lambda: (_drive(driver), DRIVE_SECONDS))
        if "failed" in value:
            return PolicyFinding(name, policy, value["failed"])
        asked = self._key("quota", name)
        drive = value.get("id", "")
        quota, at = self._remembered(asked, lambda: ({"quota": _told(driver.quota())}, QUOTA_SECONDS), drive)
        mirror = MirrorReport(**value["mirror"])
        return PolicyFinding(name, policy, "", value["drive"], _quota(quota), at, mirror)

    def _key(self, what: str, name: str) -> str:
        """Under which name something is remembered: after a reload a policy may show another drive."""
        policy = self._policies[name]
        return "\n".join((f"{what} {name}", policy.kind, policy.account, policy.place, policy.root))

    def _remembered(
        self, name: str, find: Callable[[], tuple[dict[str, Any], float]], of: str = ""
    ) -> tuple[dict[str, Any], float]:
        """What is known under a name and since when; found out when it is too old. A failure is a finding, too.

        `of`: the id of the drive that it must be about; after a sign-in as somebody else it is another one.
        """
        known, now = self._known(name), self._clock.now().timestamp()
        if known is not None and known[0].get("of", "") != of:
            known = None
        if known is not None and now < known[0].get("good", 0):
            return known
        try:
            if deadline.current(self._clock).remaining() <= 0:
                return known or ({"failed": "Microsoft does not answer in time"}, now)
            value, seconds = find()
        except BridgeError as error:
            value, seconds = {"failed": str(error)}, FAILED_SECONDS
        value |= {"good": now + seconds, "of": of}
        with self._database.transaction() as transaction:
            transaction.execute("INSERT OR REPLACE INTO findings VALUES (?, ?, ?)", (name, now, json.dumps(value)))
        return value, now

    def _known(self, name: str) -> tuple[dict[str, Any], float] | None:
        rows = self._database.read("SELECT value, at FROM findings WHERE name = ?", (name,))
        return (json.loads(rows[0]["value"]), rows[0]["at"]) if rows else None


def _token(account: SignedInAccount) -> dict[str, Any]:
    account.token()
    return {}


def _drive(driver: GraphDriver) -> dict[str, Any]:
    drive, place = driver.probe(), driver.place
    return {"drive": drive, "id": place.drive.id if place else "", "mirror": asdict(driver.report())}


def _told(quota: Quota | None) -> list[int] | None:
    return [quota.used, quota.available] if quota else None


def _quota(value: dict[str, Any]) -> Quota | None:
    told = value.get("quota")
    return Quota(*told) if told else None
