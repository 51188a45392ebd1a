"""A person signs in, and stays the same one: another account's drive would appear under the same mounts."""

from __future__ import annotations

from davbridge.clock import Clock
from davbridge.errors import Forbidden, NeedsSignIn
from davbridge.tokens.asking import Asking
from davbridge.tokens.http import Http
from davbridge.tokens.methods import Visitor
from davbridge.tokens.record import Record
from davbridge.tokens.settings import AccountSettings
from davbridge.tokens.store import TokenFile, TokenStore

_PATIENCE = 60.0


def sign_in(
    settings: AccountSettings, store: TokenStore, clock: Clock, visitor: Visitor, *, replace_account: bool = False
) -> str:
    """Sign in and keep the result, beside the former sign-in; returns the user's name.

    Raises:
        Forbidden: somebody else has signed in than before, and not `replace_account`; nothing is changed.
        NeedsSignIn, ConfigError, Busy, BadUpstream: it did not work; nothing is changed.
    """
    with store.locked(settings.name, patience=_PATIENCE) as file:
        trouble = _former(file).trouble
    http = Http(settings.verify, clock)
    try:
        # not under the lock: a person takes minutes, in which others may go on with the former sign-in
        record = Asking(settings, clock, http).first(visitor, (trouble.claims or None) if trouble else None)
    finally:
        http.close()
    with store.locked(settings.name, patience=_PATIENCE) as file:
        former = _former(file)
        if not replace_account:
            _same(settings.name, former, record)
        file.write(record, keep=True)
    return record.person.name if record.person else settings.client_id or "the managed identity"


def _former(file: TokenFile) -> Record:
    try:
        return file.read()
    except NeedsSignIn:
        return Record()  # its key is gone: it stays as `.previous`


def _same(account: str, former: Record, record: Record) -> None:
    before, now = former.person, record.person
    if before is None or now is None or before.key == now.key:
        return
    raise Forbidden(
        f"account {account!r} belongs to {before.name} (tenant {before.tenant}), but {now.name} (tenant {now.tenant}) "
        f"has signed in: sign in as {before.name}, or run `davbridge login {account} --replace-account`"
    )
