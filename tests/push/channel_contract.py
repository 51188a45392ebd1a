"""What every push channel does, whatever it listens to. Subclasses say how to make one."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Delay, Reset, Status
from davbridge.graph import Graph
from davbridge.push import PushChannel
from tests.push.harness import Listen, Listener


class ChannelContract(ABC):
    """`operation` is the emulator's name of the call that opens the channel."""

    operation = ""

    @abstractmethod
    def change(self, emulator: Emulator, graph: Graph) -> None:
        """Change something on the drive."""

    def test_a_change_is_told(self, channel: PushChannel, listen: Listen, emulator: Emulator, graph: Graph) -> None:
        """Within two seconds; and once before it, since something may have changed while nobody listened."""
        listener = listen(channel)
        listener.wait()
        assert listener.channel.state.kind == "connected"
        for _ in range(2):
            self.change(emulator, graph)
            listener.wait()

    def test_lost_and_back(
        self, channel: PushChannel, listen: Listen, emulator: Emulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A line in the log for either, however often it fails in between."""
        caplog.set_level(logging.INFO, "davbridge")
        emulator.faults.add(self.operation, Status(500), times=3)
        emulator.faults.add(self.operation, Reset(), nth=4, times=2)
        listener = listen(channel)
        listener.wait()
        assert listener.channel.state.kind == "connected"
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    @pytest.mark.parametrize("status", [403, 404, 405, 501])
    def test_not_offered(
        self, channel: PushChannel, listen: Listen, emulator: Emulator, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        """No failure, and asked again after the long pause."""
        caplog.set_level(logging.INFO, "davbridge")
        emulator.faults.add(self.operation, Status(status, code="notSupported"), times=2)
        listener = listen(channel)
        listener.wait_for("unavailable")
        assert listener.heard == 0
        listener.wait()
        assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]

    def test_stop(self, channel: PushChannel, listen: Listen) -> None:
        """Within a second, while it listens."""
        listener = listen(channel)
        listener.wait()
        assert listener.end() < 1

    def test_stop_while_microsoft_is_slow(self, channel: PushChannel, listen: Listen, emulator: Emulator) -> None:
        """Within a second, too."""
        emulator.faults.add(self.operation, Delay(1.5))
        listener = listen(channel)
        assert listener.end() < 1
        assert listener.heard == 0

    def test_stopped_before_it_began(self, channel: PushChannel, emulator: Emulator) -> None:
        """Nothing is asked of Microsoft."""
        listener = Listener(channel)
        listener.stop.set()
        channel.run(listener.stop, listener.changed)
        assert not emulator.calls.list()

    def test_a_poller_that_fails(self, channel: PushChannel, caplog: pytest.LogCaptureFixture) -> None:
        """Is no reason to end, and stands in the log."""
        stop, called = threading.Event(), threading.Event()

        def changed() -> None:
            called.set()
            raise OSError("no space")

        thread = threading.Thread(target=channel.run, args=(stop, changed))
        thread.start()
        assert called.wait(2)
        assert channel.state.kind == "connected"
        stop.set()
        thread.join(2)
        assert "could not be passed on" in caplog.text
