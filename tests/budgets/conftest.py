"""The emulator of the contract tests."""

from tests.contract.conftest import emulator, graph, running_emulator

__all__ = ["emulator", "graph", "running_emulator"]
