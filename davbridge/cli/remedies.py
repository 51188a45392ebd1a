"""What to do about a failure, for `check`: one sentence each, for who reads it and can mend it."""

from __future__ import annotations

from davbridge.errors import (
    BadUpstream,
    BridgeError,
    Busy,
    ConfigError,
    Forbidden,
    LicenceMissing,
    Locked,
    NeedsSignIn,
    NotFound,
    PermissionMissing,
    QuotaExceeded,
    RequestRefused,
    UnknownOutcome,
    Unsupported,
)

# the first that fits, so what is special comes before what is general
_REMEDIES: tuple[tuple[type[BridgeError], str], ...] = (
    (ConfigError, "change it in the configuration, or what it points to, and check again"),
    (NeedsSignIn, "run `davbridge login {account}`"),
    (PermissionMissing, "have an administrator grant the app's permissions (docs/setup-entra.md), and sign in again"),
    (LicenceMissing, "have an administrator assign a licence that holds SharePoint and OneDrive"),
    (
        Forbidden,
        "give the account the right at Microsoft: to a person as a member who may edit, to an app as a permission, "
        "with Sites.Selected the role `write` for the site; or give the policy's users `read`",
    ),
    (Locked, "find out who has it locked or checked out, and check again"),
    (QuotaExceeded, "make room in the drive, its recycle bin included"),
    (RequestRefused, "see whether `tenant`, `site`, `user` and `drive_id` belong together"),
    (Unsupported, "take another `root`: this one takes no files"),
    (NotFound, "see whether `root` is still there"),
    (UnknownOutcome, "check again"),
    (Busy, "wait, and check again; if it stays, see the network and Microsoft's service health"),
    (BadUpstream, "see the network: names, firewall, HTTPS_PROXY and NO_PROXY, REQUESTS_CA_BUNDLE"),
)


def remedy(error: BridgeError, account: str) -> str:
    """What to do; `account` is the one that the failure belongs to."""
    found = next((text for kind, text in _REMEDIES if isinstance(error, kind)), "see the message, and check again")
    return found.format(account=account)
