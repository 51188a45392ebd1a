"""How an account stands, from its file alone: for `status`, `check` and the status page. No token is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from davbridge.errors import BridgeError
from davbridge.tokens.account import SignedInAccount
from davbridge.tokens.expiry import expiry

SILENCE = timedelta(days=90)

State = Literal["ok", "needs sign-in", "not signed in", "unusable"]


@dataclass(frozen=True)
class AccountReport:
    """Times are ISO 8601 in UTC, empty when unknown. `message` says what to do where the state is not `ok`."""

    state: State
    method: str
    who: str
    tenant: str
    scopes: tuple[str, ...]
    signed_in: str = ""
    last_refresh: str = ""
    token_ends: str = ""
    sign_in_ends: str = ""
    """When 90 days of silence would end the sign-in."""
    expires: str = ""
    """When the client secret or the certificate ends."""
    warning: str = ""
    message: str = ""


def report(account: SignedInAccount) -> AccountReport:
    """The account as its file tells, whoever wrote it."""
    settings, person = account.settings, account.asking.method.needs_person
    now, found = account.clock.now(), expiry(settings)
    expires = _text(found.ends.timestamp()) if found else ""
    warning = found.sentence(now) if found and found.level(now) is not None else ""
    common = {"method": settings.method, "expires": expires, "warning": warning}
    wanted = tuple(scope.rpartition("/")[2] for scope in settings.scopes)
    try:
        record = account.store.peek(settings.name)
    except BridgeError as error:
        return AccountReport("unusable", who="", tenant=settings.tenant, scopes=wanted, message=str(error), **common)
    granted = tuple(scope.rpartition("/")[2] for scope in record.grant.scopes.split()) if record.grant else wanted
    state: State
    if record.trouble is not None:
        state, message = "needs sign-in", record.trouble.message
    elif person and not record.cache:
        state, message = "not signed in", f"run `davbridge login {settings.name}`"
    elif account.refusal:
        state, message = "unusable", account.refusal
    elif not person and (record.grant is None or record.grant.made_for != settings.fingerprint):
        state, message = "not signed in", "no token has been got yet: `davbridge check` says why"
    else:
        state, message = "ok", ""
    return AccountReport(
        state,
        who=record.person.name if record.person else ("" if person else settings.client_id),
        tenant=(record.person.tenant if record.person else "") or settings.tenant,
        scopes=granted,
        signed_in=_text(record.signed_in),
        last_refresh=_text(record.refreshed),
        token_ends=_text(record.grant.ends) if record.grant else "",
        sign_in_ends=_text(record.refreshed + SILENCE.total_seconds()) if person and record.refreshed else "",
        message=message,
        **common,
    )


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
