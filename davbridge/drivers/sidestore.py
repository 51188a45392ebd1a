"""The table behind the overlay: side files and placeholders, in the state file.

A *side file* is desktop junk that OneDrive need not, or cannot, hold. A *placeholder* is a name that a client has taken
and will fill in a moment. Both are seen through the bridge only.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from davbridge.clock import Clock
from davbridge.drivers.protocol import Item, Kind, Times
from davbridge.errors import TooLarge
from davbridge.paths import DavPath, fold
from davbridge.store.copy import Copy
from davbridge.store.database import Database, Row

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS side_files (
        mount TEXT NOT NULL, key TEXT NOT NULL, user TEXT NOT NULL, folder TEXT NOT NULL, path TEXT NOT NULL,
        placeholder INTEGER NOT NULL, data BLOB NOT NULL, version TEXT NOT NULL,
        created REAL NOT NULL, modified REAL NOT NULL, timed INTEGER NOT NULL, due REAL NOT NULL,
        PRIMARY KEY (mount, key, user)) STRICT""",
    "CREATE INDEX IF NOT EXISTS side_files_by_folder ON side_files (mount, folder)",
    """CREATE TABLE IF NOT EXISTS settled (
        mount TEXT NOT NULL, version TEXT NOT NULL, etag TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (mount, version)) STRICT, WITHOUT ROWID""",
)
LARGEST = 16 * 2**20
"""Bytes of one side file."""
_UNSEEN = 2
_SETTLED_SECONDS = 7 * 86400.0

_PRIVATE = re.compile(
    r"\._.*|\.ds_store|\.spotlight-v100|\.fseventsd|\.temporaryitems|\.apdisk|\.metadata_never_index|desktop\.ini|"
    r"thumbs\.db|ehthumbs\.db",
    re.IGNORECASE,
)
# Office and LibreOffice read these of each other: that is how a second person learns who has the document open
_PUBLIC = re.compile(r"~\$.*|\.~lock\..*#", re.IGNORECASE)


def side_user(path: DavPath, user: str) -> str | None:
    """Who may see a side file of that name: the user alone, or everybody (empty). None: it is no side file."""
    if _PRIVATE.fullmatch(path.name):
        return user
    return "" if _PUBLIC.fullmatch(path.name) else None


@dataclass(frozen=True)
class SideFile:
    """One row. `timed`: a client has set its times. `unseen`: nobody knows whether the drive has the name."""

    path: DavPath
    user: str
    placeholder: bool
    data: bytes
    version: str
    created: datetime
    modified: datetime
    timed: bool
    unseen: bool = False

    @property
    def item(self) -> Item:
        """As DAV sees it."""
        guessed = mimetypes.guess_type(self.path.name, strict=False)[0] or "application/octet-stream"
        size, tag = len(self.data), self.version
        return Item(f"side:{tag}", self.path.name, Kind.FILE, size, tag, self.created, self.modified, guessed)

    @property
    def times(self) -> Times | None:
        """What the client wants kept, if it has said so."""
        return Times(self.modified, self.created) if self.timed else None


@dataclass(frozen=True)
class Marks:
    """Digests of the side files that a user sees: of all below a folder, and of those below each folder in it.

    `own` is empty when there are none; `below` is by folded name.
    """

    own: str
    below: Mapping[str, str]


NO_MARKS = Marks("", {})
_NOTHING = hashlib.blake2b(digest_size=8).digest()


class SideStore:
    """The side files and placeholders of one policy."""

    def __init__(self, database: Database, mount: str, clock: Clock) -> None:
        self._database = database
        self._mount = mount
        self._clock = clock
        self._copy = Copy(database)

    def find(self, path: DavPath, user: str) -> SideFile | None:
        """The user's own, or everybody's, at `path`."""
        if not self._any() or key_of(path) not in self._keys(path.parent):
            return None
        sql = "SELECT * FROM side_files WHERE mount = ? AND key = ? AND user IN ('', ?)"
        rows = self._database.read(sql, (self._mount, key_of(path), user))
        return _side_file(rows[0]) if rows else None

    def in_folder(self, folder: DavPath, user: str) -> list[SideFile]:
        """All that the user sees in one folder."""
        if not self._keys(folder):
            return []
        sql = "SELECT * FROM side_files WHERE mount = ? AND folder = ? AND user IN ('', ?)"
        return [_side_file(row) for row in self._database.read(sql, (self._mount, key_of(folder), user))]

    def marks(self, folder: DavPath, user: str) -> Marks:
        """What the side files below a folder add to the stamps of the folder and of the folders in it."""
        if not self._any():
            return NO_MARKS
        return self._copy.get(("marks", key_of(folder), user), lambda: self._read_marks(key_of(folder), user))

    def _read_marks(self, folder: str, user: str) -> Marks:
        sql = (
            "SELECT key, user, placeholder, version, created, modified FROM side_files"
            " WHERE mount = ? AND key > ? AND key < ? AND user IN ('', ?) AND placeholder != ? ORDER BY key, user"
        )
        values = (self._mount, folder + "/", folder + "0", user, _UNSEEN)
        whole = hashlib.blake2b(digest_size=8)
        parts: dict[str, hashlib.blake2b] = {}
        for row in self._database.read(sql, values):
            mark = repr(tuple(row)).encode("utf-8", "surrogatepass")
            whole.update(mark)
            name, below, _ = row["key"][len(folder) + 1 :].partition("/")
            if below:
                parts.setdefault(name, hashlib.blake2b(digest_size=8)).update(mark)
        if not parts and whole.digest() == _NOTHING:
            return NO_MARKS
        return Marks(whole.hexdigest(), {name: part.hexdigest() for name, part in parts.items()})

    def _any(self) -> bool:
        sql = "SELECT 1 FROM side_files WHERE mount = ? LIMIT 1"
        return self._copy.get("any", lambda: bool(self._database.read(sql, (self._mount,))))

    def _keys(self, folder: DavPath) -> frozenset[str]:
        """The places in a folder where anybody has a side file: of most folders, none."""
        if not self._any():
            return frozenset()
        sql = "SELECT key FROM side_files WHERE mount = ? AND folder = ?"
        key = key_of(folder)
        return self._copy.get(key, lambda: frozenset(r[0] for r in self._database.read(sql, (self._mount, key))))

    def due(self) -> list[SideFile]:
        """The placeholders whose time is over."""
        sql = "SELECT * FROM side_files WHERE mount = ? AND placeholder > 0 AND due <= ?"
        return [_side_file(row) for row in self._database.read(sql, (self._mount, self._now()))]

    def put(
        self,
        path: DavPath,
        user: str,
        data: bytes,
        *,
        placeholder: bool = False,
        unseen: bool = False,
        times: Times | None = None,
        seconds: float = 0.0,
    ) -> SideFile:
        """Store or replace; `seconds` until a placeholder is due.

        Raises:
            TooLarge.
        """
        if len(data) > LARGEST:
            raise TooLarge(f"a file of that kind may have {LARGEST} bytes")
        now = self._now()
        modified = times.modified.timestamp() if times and times.modified else float(int(now))
        created = times.created.timestamp() if times and times.created else float(int(now))
        version = secrets.token_hex(12)
        kind = _UNSEEN if unseen else int(placeholder)
        row = (self._mount, key_of(path), user, key_of(path.parent), "/".join(path.names), kind, data, version)
        with self._database.transaction() as transaction:
            transaction.execute(
                "INSERT OR REPLACE INTO side_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, created, modified, times is not None, now + seconds),
            )
        moments = _moment(created), _moment(modified)
        return SideFile(path, user, placeholder, data, version, *moments, times is not None, unseen)

    def postpone(self, side: SideFile, seconds: float) -> None:
        """Let a placeholder be due later."""
        with self._database.transaction() as transaction:
            sql = "UPDATE side_files SET due = ? WHERE mount = ? AND key = ? AND user = ?"
            transaction.execute(sql, (self._now() + seconds, self._mount, key_of(side.path), side.user))

    def seen(self, side: SideFile) -> SideFile:
        """The drive does not have the name: from now on it is an ordinary placeholder."""
        with self._database.transaction() as transaction:
            sql = "UPDATE side_files SET placeholder = 1 WHERE mount = ? AND key = ? AND user = ?"
            transaction.execute(sql, (self._mount, key_of(side.path), side.user))
        return replace(side, unseen=False)

    def set_times(self, side: SideFile, times: Times) -> None:
        """Keep the client's times."""
        modified = (times.modified or side.modified).timestamp()
        created = (times.created or side.created).timestamp()
        with self._database.transaction() as transaction:
            sql = "UPDATE side_files SET modified = ?, created = ?, timed = 1 WHERE mount = ? AND key = ? AND user = ?"
            transaction.execute(sql, (modified, created, self._mount, key_of(side.path), side.user))

    def remove(self, side: SideFile) -> bool:
        """Remove this version; False when it was another's doing already."""
        with self._database.transaction() as transaction:
            sql = "DELETE FROM side_files WHERE mount = ? AND key = ? AND user = ? AND version = ?"
            return bool(transaction.execute(sql, (self._mount, key_of(side.path), side.user, side.version)).rowcount)

    def settled(self, side: SideFile, etag: str) -> None:
        """A placeholder has become an empty file with that entity tag; the client still knows it by the old one."""
        now = self._now()
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM settled WHERE at < ?", (now - _SETTLED_SECONDS,))
            values = (self._mount, side.version, etag, now)
            transaction.execute("INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)", values)

    def tag_of(self, version: str) -> str:
        """The entity tag of the file that a placeholder of that version has become, or `version` itself."""
        sql = "SELECT etag FROM settled WHERE mount = ? AND version = ?"
        rows = self._database.read(sql, (self._mount, version))
        return str(rows[0]["etag"]) if rows else version

    def forget_tree(self, path: DavPath) -> None:
        """Remove everything below a folder that has gone."""
        with self._database.transaction() as transaction:
            sql = "DELETE FROM side_files WHERE mount = ? AND key > ? AND key < ?"
            transaction.execute(sql, (self._mount, key_of(path) + "/", key_of(path) + "0"))

    def move_tree(self, source: DavPath, target: DavPath) -> None:
        """Carry everything below a folder along."""
        if key_of(source) != key_of(target):  # else it is the same folder in another spelling
            self.forget_tree(target)
        with self._database.transaction() as transaction:
            sql = "SELECT rowid, path FROM side_files WHERE mount = ? AND key > ? AND key < ?"
            rows = transaction.execute(sql, (self._mount, key_of(source) + "/", key_of(source) + "0")).fetchall()
            for row in rows:
                path = target.join(DavPath(tuple(row["path"].split("/"))).relative_to(source))
                sql = "UPDATE side_files SET key = ?, folder = ?, path = ? WHERE rowid = ?"
                transaction.execute(sql, (key_of(path), key_of(path.parent), "/".join(path.names), row["rowid"]))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def key_of(path: DavPath) -> str:
    """The folded path, `/a/b`; empty for the root."""
    return "".join("/" + fold(name) for name in path.names)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _side_file(row: Row) -> SideFile:
    return SideFile(
        path=DavPath(tuple(row["path"].split("/"))),
        user=row["user"],
        placeholder=bool(row["placeholder"]),
        data=row["data"],
        version=row["version"],
        created=_moment(row["created"]),
        modified=_moment(row["modified"]),
        timed=bool(row["timed"]),
        unseen=row["placeholder"] == _UNSEEN,
    )
