"""A person who is quick: the pauses between two questions after a device code pass on the emulator's clock alone."""

from __future__ import annotations

import time

import pytest
from msal.oauth2cli import oauth2

from davbridge.emulator import Emulator
from davbridge.tokens.methods import device_code


class _Hurried:
    """What MSAL and the bridge use of `time` meanwhile."""

    time = staticmethod(time.time)

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def sleep(self, seconds: float) -> None:
        """The emulator, which refuses to be asked too often (RFC 8628 §3.5), sees the seconds go by; nobody waits."""
        self._emulator.clock.advance(seconds)


def hurry(emulator: Emulator, patch: pytest.MonkeyPatch) -> None:
    """Until `patch` is undone, in this process."""
    for module in (oauth2, device_code):
        patch.setattr(module, "time", _Hurried(emulator))
