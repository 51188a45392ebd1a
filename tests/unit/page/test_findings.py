"""What the page remembers of drives and their quota, and of which drive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.protocol import Quota
from davbridge.mirror.report import MirrorReport
from davbridge.page.file import open_file
from davbridge.page.findings import AccountFinding, Findings, PagePolicy
from davbridge.store.database import Database
from davbridge.tokens import AccountReport, SignedInAccount


@dataclass
class Drive:
    """A driver, as far as the page asks it."""

    id: str = "alices"
    used: int = 1
    asked: int = 0

    def probe(self) -> str:
        return f"the drive {self.id}"

    @property
    def place(self) -> Any:
        return SimpleNamespace(drive=SimpleNamespace(id=self.id))

    def quota(self) -> Quota:
        self.asked += 1
        return Quota(self.used, 100)

    def report(self) -> MirrorReport:
        return MirrorReport("live", True, 0, 0, 0.0, 0, "")


class WellFindings(Findings):
    """The account is well."""

    def _account(self, name: str, account: SignedInAccount) -> AccountFinding:
        return AccountFinding(name, AccountReport("ok", "device_code", "somebody", "contoso", ()), True, "")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The page's file."""
    database = open_file(tmp_path)
    yield database
    database.close()


def test_the_quota_is_that_of_the_drive(database: Database) -> None:
    """It is asked once in five minutes; of another person's drive in the same place at once."""
    clock, drive = ManualClock(), Drive()
    policy = PagePolicy("/me", "onedrive", "", "contoso", "/", {}, cast(Any, drive))
    findings = WellFindings(database, clock, {"contoso": cast(SignedInAccount, None)}, {"me": policy})

    def used() -> int:
        clock.advance(20)
        quota = findings.look()[1][0].quota
        return quota.used if quota else -1

    assert [used() for _ in range(5)] == [1] * 5
    assert drive.asked == 1
    drive.id, drive.used = "mallorys", 2
    assert [used(), used()] == [2, 2]
    assert drive.asked == 2
