"""What the uploads of a policy share with each other, with those of other policies, and with other processes."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from davbridge.graph.memory import Memory
from davbridge.store.journal import Journal, NoJournal


@dataclass(frozen=True)
class Desk:
    """`journal` is this policy's own; `memory` and `senders`, the threads that send, are the process's."""

    journal: Journal
    memory: Memory
    senders: Executor

    @classmethod
    def alone(cls) -> Desk:
        """For a driver that shares nothing."""
        return cls(NoJournal(), Memory(), make_senders())


def make_senders() -> Executor:
    """Threads that send fragments; as many as there are uploads at a time, at most one for each request's thread."""
    return ThreadPoolExecutor(64, "sending")
