"""What tables say, kept in memory until the file changes.

Every request asks for locks, dead properties and side files, and nearly always there are none. A look into a table
costs as much as the rest of a small answer does; one at the file's version a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from davbridge.store.database import Database

Value = TypeVar("Value")


class Copy:
    """Answers by their question, at most `most`, all dropped when anybody commits anything. Thread-safe."""

    def __init__(self, database: Database, most: int = 1024) -> None:
        self._database = database
        self._most = most
        self._state: tuple[object, dict[Hashable, Any]] = (None, {})

    def get(self, question: Hashable, read: Callable[[], Value]) -> Value:
        """The answer to `question`, which `read` finds in the database. Nobody may change it."""
        version = self._database.version()
        known, answers = self._state
        if known != version or len(answers) >= self._most:
            # a new dictionary and not a cleared one: another thread may be about to put an older answer into that
            answers = {}
            self._state = (version, answers)
        answer: Value
        if question in answers:
            answer = answers[question]
        else:
            answer = answers[question] = read()
        return answer
