"""What the uploads of a policy share with each other, with those of other policies, and with other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from davbridge.clock import Clock
from davbridge.graph.memory import ROOM, Memory
from davbridge.graph.senders import Senders
from davbridge.graph.tempo import Line
from davbridge.store.database import Database
from davbridge.store.journal import Journal, JournalFile, NoJournal
from davbridge.store.turns import FileTurns, NoTurns, Turns


@dataclass(frozen=True)
class Desk:
    """`journal` is this policy's own; `memory`, `senders`, the threads that send, and `line` are the process's.

    `turns` are those of all processes.
    """

    journal: Journal
    memory: Memory
    senders: Senders
    turns: Turns
    line: Line

    @classmethod
    def alone(cls) -> Desk:
        """For a driver that shares nothing."""
        return cls(NoJournal(), Memory(), Senders(), NoTurns(), Line())


@dataclass(frozen=True)
class Desks:
    """Makes the desks of all policies of a bridge."""

    SCHEMA = JournalFile.SCHEMA

    journal: JournalFile
    memory: Memory
    senders: Senders
    turns: Turns
    line: Line

    @classmethod
    def open(cls, database: Database, folder: Path, processes: int, clock: Clock) -> Desks:
        """In a state folder, for one of `processes` that share the memory for uploads."""
        journal = JournalFile(database, folder / "journal")
        return cls(journal, Memory(ROOM // processes), Senders(), FileTurns(folder / "turns.lock", clock), Line())

    def of(self, policy: str, account: str) -> Desk:
        """The desk of a policy."""
        return Desk(self.journal.of(policy, account), self.memory, self.senders, self.turns, self.line)
