"""The mirror's tables (docs/decisions/004). The file is disposable: another version of this page means another file.

* `items`: the last known state of each item, by drive and id. `drive` is a number of `drives`, `fold` the key that
  names are compared by, `tag` what DAV knows a file's content by; times are whole POSIX seconds. `expires`: fresh
  until then where delta does not keep the row fresh; negative: in doubt. `written`, `fenced`: when we wrote it, and
  until when older news of it is ignored. `seq`: the number of its last change; `placed`: of the last change of its
  place (creation, rename, move); `below`: of the last change in the tree below a folder. `listed`: all children of
  the folder are in the table, until then; negative: in doubt.
* `gone`: what we deleted, its last eTag, and until when no older news may bring it back. `orphans`: folders that went,
  whose children's rows are still to be removed. `rechecks`: what delta told and the fence refused, to be read by id
  when the fence has fallen, since delta tells nothing twice. `doubts`: rows whose `expires` or `listed` is negative,
  and since when.
* `removals`: what left which path, for sync tokens. `path` is folded, `/a/b`, below the drive's own root; `name` as it
  was spelt.
* `paths`: look-ups by path whose folders are not known, relative to a policy's root. `id` NULL: nothing is there.
* `staged`: a new enumeration after 410, until it is whole.
* `sync`: where delta stands, a row a drive: `link` is the finished round's deltaLink, `next` the next page's link of a
  round under way, `began` that round's start, `synced` the start of the last finished one.
* `counters`: `seq`, the last number given; `epoch`, which makes the sync tokens of another file invalid; `elsewhere`,
  the number of the last change on a drive that nobody watches.
"""

from __future__ import annotations

VERSION = 2

_ITEM = """
    drive INTEGER NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, fold TEXT NOT NULL, name TEXT NOT NULL,
    kind TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, ctag TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, mime TEXT NOT NULL, hash TEXT NOT NULL,
    remote_drive TEXT NOT NULL, remote_id TEXT NOT NULL"""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS drives (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    f"""CREATE TABLE IF NOT EXISTS items ({_ITEM},
        tag TEXT NOT NULL, expires REAL NOT NULL, written REAL NOT NULL, fenced REAL NOT NULL,
        seq INTEGER NOT NULL, placed INTEGER NOT NULL, below INTEGER NOT NULL, listed REAL NOT NULL,
        PRIMARY KEY (id, drive)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS items_by_name ON items (drive, parent, fold)",
    "CREATE INDEX IF NOT EXISTS items_shortcuts ON items (drive, parent) WHERE remote_id <> ''",
    """CREATE TABLE IF NOT EXISTS gone (drive INTEGER NOT NULL, id TEXT NOT NULL, etag TEXT NOT NULL,
        until REAL NOT NULL, PRIMARY KEY (drive, id)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS orphans (drive INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (drive, id)) STRICT",
    """CREATE TABLE IF NOT EXISTS rechecks (drive INTEGER NOT NULL, id TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (drive, id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS doubts (drive INTEGER NOT NULL, id TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (drive, id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS removals (number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, drive INTEGER NOT NULL,
        path TEXT NOT NULL, name TEXT NOT NULL, folder INTEGER NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS removals_by_seq ON removals (drive, seq)",
    """CREATE TABLE IF NOT EXISTS paths (root TEXT NOT NULL, path TEXT NOT NULL, drive INTEGER, id TEXT,
        until REAL NOT NULL, PRIMARY KEY (root, path)) STRICT, WITHOUT ROWID""",
    f"CREATE TABLE IF NOT EXISTS staged ({_ITEM}, PRIMARY KEY (id, drive)) STRICT, WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS sync (drive INTEGER PRIMARY KEY, phase TEXT NOT NULL, link TEXT NOT NULL,
        next TEXT NOT NULL, began REAL NOT NULL, synced REAL NOT NULL, seen INTEGER NOT NULL, pages INTEGER NOT NULL,
        message TEXT NOT NULL) STRICT""",
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)
COLUMNS = (
    "drive, id, parent, fold, name, kind, size, etag, ctag, created, modified, mime, hash, remote_drive, remote_id"
)
"""What `items` and `staged` have in common, in the order of `rows.values`."""
