"""Under which name a policy's locks, custom properties and side files are kept: they belong to a tree, by its paths.

A policy that is given another root (or site, library, drive, person, account) shows another tree under the old paths:
what was kept of the former one must not be seen there, and is found again when the policy is given its root back. So
the first tree of a policy is known by the policy's name, and every other by a name of its own, for ever. Nothing has to
be deleted when a configuration changes, and a request that still runs on the former tree cannot touch the new one's.
"""

from __future__ import annotations

import hashlib

from davbridge.config import Policy
from davbridge.store.database import Database

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS trees (
        policy TEXT NOT NULL, tree TEXT NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (policy, tree)) STRICT, WITHOUT ROWID""",
)


def tree_of(policy: Policy) -> str:
    """What makes the tree that a policy shows; two policies with equal ones show the same."""
    parts = (policy.driver, policy.account, policy.user, policy.site, policy.library, policy.drive_id)
    return "\n".join((*(part or "" for part in parts), "/".join(name for name in policy.root.split("/") if name)))


def state_name(database: Database, policy: str, tree: str) -> str:
    """The name in the state file of `tree` (`tree_of`) as the policy's.

    Raises: Busy, QuotaExceeded.
    """
    rows = database.read("SELECT name FROM trees WHERE policy = ? AND tree = ?", (policy, tree))
    if rows:
        return str(rows[0][0])
    with database.transaction() as transaction:
        is_first = transaction.execute("SELECT 1 FROM trees WHERE policy = ?", (policy,)).fetchone() is None
        name = policy if is_first else f"{policy}\n{hashlib.blake2b(tree.encode(), digest_size=10).hexdigest()}"
        transaction.execute("INSERT OR IGNORE INTO trees VALUES (?, ?, ?)", (policy, tree, name))
        row = transaction.execute("SELECT name FROM trees WHERE policy = ? AND tree = ?", (policy, tree)).fetchone()
    return str(row[0])
