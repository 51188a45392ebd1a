"""What a process keeps whatever its configuration becomes: the state folder, and what is open in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.config import Config
from davbridge.dav import deadprops, followers, locks
from davbridge.dav.deadprops import DeadProperties
from davbridge.dav.followers import Followers
from davbridge.dav.locks import LockTable
from davbridge.dav.propfind.prepared import Prepared
from davbridge.drivers import sidestore
from davbridge.drivers.uploads import UploadsTable
from davbridge.errors import ConfigError
from davbridge.graph.desk import Desks
from davbridge.graph.readahead import ReadAhead
from davbridge.mirror.folder import Mirrors
from davbridge.parts import trees
from davbridge.push import SubscriptionTable
from davbridge.store.database import Database
from davbridge.transport import storedgates

READ_AHEAD_MEMORY = 96 << 20
"""Bytes that all downloads of all workers may have fetched before their clients take them."""


@dataclass(frozen=True)
class Ground:
    """`state.directory` and its contents. Its tables and copies are shared by one bridge and the next."""

    folder: Path
    clock: Clock
    database: Database
    mirrors: Mirrors
    locks: LockTable
    deadprops: DeadProperties
    uploads: UploadsTable
    desks: Desks
    followers: Followers
    ahead: ReadAhead
    prepared: Prepared = field(default_factory=Prepared)
    caches: dict[tuple[str, int], ContentCache] = field(default_factory=dict)

    @classmethod
    def open(cls, config: Config, clock: Clock) -> Ground:
        """Raises: ConfigError: the state folder cannot be used."""
        folder = state_folder(config)
        database = open_database(folder)
        return cls(
            folder,
            clock,
            database,
            Mirrors(folder / "mirror", clock),
            LockTable(database, clock),
            DeadProperties(database),
            UploadsTable(database, clock),
            Desks.open(database, folder, config.server.workers, clock),
            Followers(database, clock),
            ReadAhead(READ_AHEAD_MEMORY // config.server.workers),
        )

    def content_cache(self, policy: str, limit: int) -> ContentCache:
        """The one of a policy, of up to `limit` bytes; the same for a bridge and the next.

        Raises:
            ConfigError: its folder cannot be used.
        """
        if (policy, limit) not in self.caches:
            self.caches[policy, limit] = ContentCache.open(self.folder / "content" / policy, limit, self.clock)
        return self.caches[policy, limit]

    def close(self) -> None:
        """Let downloads that read ahead end, and close the calling thread's connections."""
        self.ahead.close()
        for cache in self.caches.values():
            cache.close()
        self.mirrors.close()
        self.desks.journal.close()
        self.database.close()


def state_folder(config: Config) -> Path:
    """The state folder, made when it is missing, closed to others.

    Raises:
        ConfigError.
    """
    folder = config.state.folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "spool").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the state folder {folder} cannot be used: {error.strerror}") from None
    return folder


def open_database(folder: Path) -> Database:
    """The state file: locks, dead properties, side files, recent uploads, pauses, webhooks, the journal."""
    tables = (
        locks.SCHEMA,
        deadprops.SCHEMA,
        followers.SCHEMA,
        sidestore.SCHEMA,
        UploadsTable.SCHEMA,
        storedgates.SCHEMA,
        trees.SCHEMA,
    )
    schema = (*chain.from_iterable(tables), *SubscriptionTable.SCHEMA, *Desks.SCHEMA)
    return Database.open(folder / "state.sqlite", schema)
