"""A Graph and Entra emulator: the stand-in for Microsoft in `davbridge demo` and in the tests.

It is written from Microsoft's documentation and from what clients have reported (facts: Graph §13), not from what our
own client sends, and it shares no code with the bridge, so that one misreading of Graph cannot hide in both. Where it
differs from the service it must differ by being harsher.
"""

from davbridge.emulator.emulator import Emulator

__all__ = ["Emulator"]
