"""What `status` and `check` say of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from davbridge.app import Bridge
from davbridge.cli.telling import tell
from davbridge.tokens import AccountReport, report


def account_reports(bridge: Bridge) -> dict[str, AccountReport]:
    """Each account, from its file."""
    return {name: report(account) for name, account in bridge.accounts.items()}


def as_json(reports: Mapping[str, AccountReport]) -> dict[str, dict[str, Any]]:
    """For programs."""
    return {name: asdict(one) for name, one in reports.items()}


def show_account(name: str, one: AccountReport) -> None:
    """For people."""
    mark = "" if one.state == "ok" else "FAIL "
    who = f", {one.who}" if one.who else ""
    tell(f"{mark}account {name}: {one.state} ({one.method}{who}, tenant {one.tenant or 'of this machine'})")
    if one.message:
        tell(f"  what    {one.message}")
    tell(f"  scopes  {' '.join(one.scopes)}")
    if one.last_refresh:
        until = f", would end unused on {one.sign_in_ends[:10]}" if one.sign_in_ends else ""
        tell(f"  token   refreshed {one.last_refresh}, good until {one.token_ends}{until}")
    if one.warning:
        tell(f"  WARN    {one.warning}")
    elif one.expires:
        tell(f"  expires {one.expires[:10]}")
