"""The error tree: what can go wrong, in words that every layer above `transport` shares.

::

    BridgeError
     ├─ NotFound            the item does not exist                                 404
     ├─ ParentNotFound      the folder that should hold it does not exist           409
     ├─ AlreadyExists       something with that name is there already               405 (MKCOL), 412
     ├─ PreconditionFailed  the item is no longer what the caller said it was       412
     ├─ NameRefused         OneDrive cannot store an item of that name              403
     ├─ BadPath             the path is not a path (syntax, not policy)             400
     ├─ Forbidden           the signed-in account may not do that                   403
     │   ├─ PermissionMissing  nobody has granted the app what it needs               403
     │   └─ LicenceMissing     no licence for SharePoint and OneDrive                 403
     ├─ StaleToken          a sync token that is too old, or not ours              403
     ├─ Unsupported         this kind of item cannot do that                        403, 405
     ├─ Locked              somebody has it locked or checked out at Microsoft      423
     ├─ TooLarge            larger than the service stores                          413
     ├─ QuotaExceeded       the drive (or the spool) is full                        507
     ├─ RangeNotSatisfiable the range starts behind the end                         416
     ├─ BodyTruncated       the client sent less than it announced                  400
     ├─ Busy                throttled or temporarily unavailable; carries a delay   503
     │   └─ NeedsSignIn     the Microsoft sign-in has ended; a person is needed     503
     ├─ BadUpstream         Microsoft answered nonsense, or not at all              502
     │   ├─ RequestRefused  Graph does not understand what it was asked for          502
     │   └─ DownloadBroken  the download ended before its announced length          (connection cut)
     └─ UnknownOutcome      a write may or may not have happened                    504

Why here: a driver, the mirror and the DAV layer speak of the same failures, and only `dav` knows that they become
statuses. Lower layers translate foreign errors (`requests`, `msal`, `sqlite3`) into this tree at their own border.

This module must never import another module of the project, nor know about HTTP.
"""

from __future__ import annotations


class BridgeError(Exception):
    """Base of all expected failures. `str(error)` is one sentence a person can read; it never holds a secret."""

    exit_status = 1
    """Of a command that ends with it: 1, something failed that may pass; 78, the configuration must be changed."""


class NotFound(BridgeError):
    """The item does not exist."""


class ParentNotFound(BridgeError):
    """The folder that should hold the item does not exist, or is a file."""


class AlreadyExists(BridgeError):
    """An item of that name is there and the caller asked not to replace it."""


class PreconditionFailed(BridgeError):
    """The item is not (or no longer) in the state that the caller named (`if_match`)."""


class NameRefused(BridgeError):
    """The name or path is legal in a URL but cannot be stored in OneDrive; the message says why."""


class BadPath(BridgeError):
    """The path cannot be read as a path at all: bad escapes, not UTF-8, `..` above the root."""


class Forbidden(BridgeError):
    """The signed-in Microsoft account may not do that."""


class PermissionMissing(Forbidden):
    """The app registration lacks a permission, or nobody has consented to it."""


class LicenceMissing(Forbidden):
    """The tenant or the person has no licence for SharePoint and OneDrive."""


class Unsupported(BridgeError):
    """The operation makes no sense for this item (content of a folder, writing into a OneNote notebook)."""


class StaleToken(BridgeError):
    """A sync token that leads nowhere any more: the client must start over without one (RFC 6578 §3.2)."""


class Locked(BridgeError):
    """The item is locked or checked out at Microsoft by somebody else.

    `retry_after` in seconds, where it is known to end by itself; 0: it is not.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLarge(BridgeError):
    """The content is larger than the service or the bridge accepts."""


class QuotaExceeded(BridgeError):
    """The drive, or the bridge's own spool, has no room for it."""


class RangeNotSatisfiable(BridgeError):
    """The wanted range starts at or behind the end. `size` is the full length in bytes."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class BodyTruncated(BridgeError):
    """The client's body ended before its announced length; nothing of it may be committed."""


class Busy(BridgeError):
    """Throttled or unavailable for longer than this request can wait. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NeedsSignIn(Busy):
    """The Microsoft sign-in has ended: a person must run `davbridge login`. Never answered as 401 (law 6)."""

    def __init__(self, message: str, retry_after: float = 300.0) -> None:
        super().__init__(message, retry_after)


class BadUpstream(BridgeError):
    """Microsoft's side answered something that cannot be used, or the connection failed (TLS, HTML, reset)."""


class RequestRefused(BadUpstream):
    """Graph calls the request malformed (400): it names something that this account, or this cloud, does not have."""


class DownloadBroken(BadUpstream):
    """A download ended early or changed underneath: the response to the client must be cut, never completed."""


class UnknownOutcome(BridgeError):
    """A write was sent and its answer lost, and reading back could not tell what happened."""


class ConfigError(BridgeError):
    """The configuration cannot be used; the message names the place and what to do."""

    exit_status = 78  # EX_CONFIG of sysexits.h
