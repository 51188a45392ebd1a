"""Everything the emulator holds, handed to each handler."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from davbridge.emulator.blobs import Blob, Draft
from davbridge.emulator.calls import Recorder
from davbridge.emulator.clock import Clock
from davbridge.emulator.drives import Drive, Item
from davbridge.emulator.line import Line
from davbridge.emulator.problems import bad_request, not_found
from davbridge.emulator.quirks import Quirks

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from davbridge.emulator.channels import Ticket
    from davbridge.emulator.faults import Action, FaultScript
    from davbridge.emulator.storm import Storm
    from davbridge.emulator.subscriptions import Subscription

TENANT = "contoso.onmicrosoft.com"
TENANT_ID = "7d0c3a52-9f1b-4c55-9c2e-5a4b8f6d1e20"
USER_ID = "8b1d5f9e-0000-4000-8000-000000000001"
SITE_HOST, MINE_HOST = "contoso.sharepoint.com", "contoso-my.sharepoint.com"
DOWNLOAD_SECONDS = 300
OFFICE = (".docx", ".xlsx", ".pptx")
MARK = "hush-"
"""In all that the emulator gives out and that is nobody else's business: who finds it in a log has found a leak."""


def secret(size: int) -> str:
    """A new one, recognisable by `MARK`; `size` in bytes of randomness."""
    return MARK + secrets.token_urlsafe(size)


@dataclass
class Token:
    """An access token. `user` is empty for an application's own; `claims` is what it was asked for with.

    `scope`: what a person has agreed to; None for a token that may all.
    """

    user: str
    expires: datetime
    good: bool = True
    claims: str = ""
    scope: str | None = None


@dataclass
class Session:
    """An open upload session."""

    drive: Drive
    parent_id: str
    name: str
    conflict: str
    draft: Draft | None
    expires: datetime
    started: datetime
    item_id: str = ""
    total: int = -1
    received: int = 0
    fs_created: datetime | None = None
    fs_modified: datetime | None = None
    defer: bool = False
    broken: bool = False
    complete: bool = False
    blob: Blob | None = None
    stored: bool = False


@dataclass
class Copying:
    """An asynchronous copy and what its monitor tells. `status` is empty while it is under way."""

    drive: Drive
    item: Item
    target: Drive
    parent_id: str
    name: str
    conflict: str
    started: float
    due: float
    children_only: bool = False
    status: str = ""
    resource_id: str = ""
    error: str = ""


@dataclass
class Site:
    """A SharePoint site and its libraries. `closed`: the user may not see it."""

    id: str
    path: str
    name: str
    drives: list[Drive]
    host: str = SITE_HOST
    closed: bool = False


@dataclass
class World:
    """The state of one emulator. `content_url` is the origin of pre-authenticated URLs, another one than Graph's."""

    folder: Path
    clock: Clock
    calls: Recorder
    faults: FaultScript
    quirks: Quirks
    user: str
    client_id: str
    client_secret: str
    drives: dict[str, Drive]
    site: Site
    root_site: Site
    other_sites: list[Site] = field(default_factory=list)
    line: Line = field(default_factory=Line)
    storm: Storm | None = None
    content_url: str = ""
    login_url: str = ""
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    copies: dict[str, Copying] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    rewrites: list[tuple[float, Drive, Item]] = field(default_factory=list)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    units: list[tuple[float, int]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    claims_challenge: str = ""
    certificates: list[Certificate] = field(default_factory=list)
    """What is registered for the application, as the tokens below."""
    federated_tokens: set[str] = field(default_factory=set)
    secret_expired: bool = False
    own_drives: dict[str, str] = field(default_factory=dict)
    """Which drive is a person's `/me/drive`; everybody else's is `business`."""
    identities: set[str] = field(default_factory=set)
    identity_header: str = field(default_factory=lambda: secret(12))
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def fault(self, operation: str, *, graph: bool = False) -> Action | None:
        """What goes wrong with this call: what was planned, or else what the storm brings."""
        planned = self.faults.take(operation, graph=graph)
        return planned or (self.storm.take(operation) if self.storm else None)

    @property
    def sites(self) -> list[Site]:
        return [self.root_site, self.site, *self.other_sites]

    def drive(self, drive_id: str) -> Drive:
        """The drive of an id; ids of personal drives compare without case (§12.3).

        Raises:
            Problem: 404, and 400 for what has the form of no id at all.
        """
        for drive in self.drives.values():
            if drive.id == drive_id or (not drive.business and drive.id.lower() == drive_id.lower()):
                return drive
        if not drive_id.startswith("b!") and not re.fullmatch(r"[0-9A-Fa-f]{16}", drive_id):
            raise bad_request("ObjectHandle is Invalid", inner="invalidResourceId")
        raise not_found("The drive could not be found.")

    def download_url(self, drive: Drive, item: Item, version: str = "") -> str:
        """A pre-authenticated URL, good for some minutes; of a former version, if one is named."""
        expires = int((self.clock.now() + timedelta(seconds=DOWNLOAD_SECONDS)).timestamp())
        place = f"{drive.id}/{item.id}/{version}".rstrip("/")
        signature = self.sign(drive, item, version, expires)
        return f"{self.content_url}/download/{place}?e={expires}&tempauth={signature}"

    def sign(self, drive: Drive, item: Item, version: str, expires: int) -> str:
        message = f"{drive.id}|{item.id}|{version}|{expires}".encode()
        return MARK + hmac.new(self.key, message, hashlib.sha256).hexdigest()

    def after_upload(self, drive: Drive, item: Item) -> None:
        """What SharePoint does with an Office file once it has answered (§12.1)."""
        if self.quirks.office_rewrite and drive.profile == "documentLibrary" and item.name.lower().endswith(OFFICE):
            self.rewrites.append((self.clock.monotonic() + self.quirks.office_rewrite_seconds, drive, item))
            self.rewrite()

    def rewrite(self) -> None:
        """Promote the properties of the Office files whose time has come."""
        with self.lock:
            due = [entry for entry in self.rewrites if entry[0] <= self.clock.monotonic()]
            self.rewrites = [entry for entry in self.rewrites if entry not in due]
        for _, drive, item in due:
            if item.blob is not None and not item.locked and drive.find(item.id) is item:
                drive.replace(item, Blob.of(item.blob.bytes() + b"<docProps>promoted</docProps>"), fs_modified=None)

    def expire(self) -> None:
        """Forget the upload sessions whose time is over."""
        now = self.clock.now()
        with self.lock:
            for token, session in list(self.sessions.items()):
                if session.expires < now:
                    self.end_session(token)

    def end_session(self, token: str) -> None:
        with self.lock:
            session = self.sessions.pop(token, None)
            if session is None:
                return
            if session.draft is not None and not session.stored:
                session.draft.discard()
            session.drive.open_sessions.pop((session.parent_id, session.drive.fold(session.name)), None)
            item = session.drive.find(session.item_id)
            if item is not None and item.placeholder:
                session.drive.delete(item)
