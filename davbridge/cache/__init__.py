"""The content cache: blocks of file contents on disk, for all users of a policy and all workers."""

from davbridge.cache.contents import BLOCK, ContentCache, Entry
from davbridge.cache.filler import Filler

__all__ = ["BLOCK", "ContentCache", "Entry", "Filler"]
