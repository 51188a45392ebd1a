"""A sign-in that has ended: told once in the log, and kept in the file for `status` and the other processes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from davbridge.errors import BridgeError, ConfigError, NeedsSignIn
from davbridge.tokens.failures import Challenged
from davbridge.tokens.record import Record, Trouble
from davbridge.tokens.store import TokenFile

if TYPE_CHECKING:
    from davbridge.tokens.account import SignedInAccount

log = logging.getLogger(__name__)


def told_once(
    account: SignedInAccount, file: TokenFile, record: Record, error: BridgeError, claims: str | None
) -> None:
    """Write the trouble into the file, unless it is there: then another request or process has logged it.

    The refresh token stays where it is: what Entra refuses today (a disabled person, a policy) may be allowed tomorrow.
    """
    if not isinstance(error, NeedsSignIn):
        return  # a wrong configuration is told by whoever meets it
    wanted = claims or (error.claims if isinstance(error, Challenged) else "")
    before = record.trouble
    known = before is not None and before.message == str(error)
    if before is not None and known and wanted in ("", before.claims):
        return
    if not known:
        log.error("%s", error)
    if not record.cache:
        return  # nobody has ever signed in: there is nothing to keep
    trouble = Trouble(str(error), account.clock.now().timestamp(), wanted)
    try:
        file.write(replace(record, trouble=trouble))
    except ConfigError as unwritten:
        log.error("%s", unwritten)
