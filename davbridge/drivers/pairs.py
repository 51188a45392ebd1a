"""What a path alone forbids a MOVE or COPY: asked first by every driver, so that all refuse the same."""

from __future__ import annotations

from davbridge.errors import AlreadyExists, Unsupported
from davbridge.paths import DavPath


def check_pair(source: DavPath, target: DavPath, *, replace: bool) -> None:
    """Refuse what no order of steps could do, before any call.

    Raises: NameRefused, Unsupported; AlreadyExists (onto a folder above the source).
    """
    target.check()
    if source.is_root or target.is_root:
        raise Unsupported("the root can be neither moved nor copied, nor replaced")
    if len(source.names) != len(target.names):
        if source.is_within(target) and not replace:
            raise AlreadyExists(f"{target} exists")
        if target.is_within(source) or source.is_within(target):
            raise Unsupported(f"{source} and {target} lie one in the other")
