"""`davbridge status`, and a served bridge that looks for changes by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from davbridge.emulator import Emulator
from tests.service.test_serve import change, config, emulator, run
from tests.support.dav import Dav
from tests.support.ports import wait_for_port
from tests.support.serving import serving, write_configuration

__all__ = ["config", "emulator"]


@pytest.fixture
def served(config: Path, emulator: Emulator) -> Iterator[Dav]:
    """A bridge that polls every second, as a process; a client at its OneDrive."""

    def often(data: dict) -> None:
        for policy in data["policies"].values():
            policy["poll"] = 1

    change(config, often)
    listen = yaml.safe_load(config.read_text())["server"]["listen"]
    process = subprocess.Popen([sys.executable, "-m", "davbridge", "serve", "--config", str(config)])
    try:
        wait_for_port(int(listen.rpartition(":")[2]))
        dav = Dav(f"http://{listen}", "alice", "secret", "/me/", None)
        yield dav
        dav.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def told(config: Path) -> dict:
    """What `status --json` says."""
    done = run("status", "--json", "--config", str(config))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["policies"]  # type: ignore[no-any-return]


def until(condition: object, seconds: float = 20.0) -> None:
    """Wait for another process."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def test_status_of_a_served_bridge(served: Dav, config: Path, emulator: Emulator) -> None:
    """Drive, root, quota and mirror of each policy, for programs and for people."""
    until(lambda: all(one["mirror"]["live"] for one in told(config).values()))
    one = told(config)["team"]
    assert one["mount"] == "/team"
    assert one["quota"]["available"] > 0
    assert one["mirror"]["state"] == "live"
    shown = run("status", "--config", str(config)).stdout
    assert "mirror  live" in shown
    emulator.drive("business").put("/thirty.bin", bytes(30_000_000))
    assert "quota   30.0 MB used, " in run("status", "--config", str(config)).stdout


def test_status_names_shortcuts(served: Dav, config: Path, emulator: Emulator) -> None:
    """Whatever is behind them is listed again and again, and people are told how often."""
    others = emulator.drive("archive")
    others.put("/shared/x.txt", b"x")
    emulator.drive("business").shortcut("Short", others, "/shared")
    until(lambda: told(config)["me"]["mirror"]["shortcuts"])
    mirror = told(config)["me"]["mirror"]
    assert (mirror["shortcut_paths"], mirror["ttl"]) == (["/Short"], 15.0)
    assert told(config)["team"]["mirror"]["shortcuts"] == 0
    shown = run("status", "--config", str(config)).stdout
    assert shown.count("  except  ") == 1
    assert "  except  /Short: " in shown


def test_status_of_a_drive_that_nobody_polls(emulator: Emulator, tmp_path: Path) -> None:
    """`poll: 0`: it does not look like an enumeration that never begins."""
    emulator.reset()
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=1)
    change(config, lambda data: data["policies"]["me"].update(poll=0))
    assert told(config)["me"]["mirror"]["sentence"].startswith("no delta: folders are read again when they are asked")
    assert told(config)["team"]["mirror"]["state"] == "new"


def test_changes_made_elsewhere_show_by_themselves(served: Dav, emulator: Emulator) -> None:
    """Created, modified, moved and deleted at Microsoft: seen within a poll, and the calls were delta's."""
    drive = emulator.drive("business")
    drive.put("/a.txt", b"one")
    until(lambda: served.propfind("a.txt").status == 207)
    etag = served.head("a.txt", check=200).etag
    drive.put("/a.txt", b"two!")
    until(lambda: served.head("a.txt", check=200).etag != etag)
    drive.mkdir("/d")
    drive.move("/a.txt", "/d/b.txt")
    until(lambda: served.propfind("d/b.txt").status == 207)
    assert served.propfind("a.txt").status == 404
    drive.delete("/d")
    until(lambda: served.propfind("d").status == 404)


def test_push_brings_changes_at_once(config: Path, emulator: Emulator) -> None:
    """Without a poll in sight, a change made elsewhere is seen within two seconds."""

    def seldom(data: dict) -> None:
        for policy in data["policies"].values():
            policy["poll"] = 60

    change(config, seldom)
    with serving(config) as running:
        dav = running.dav()
        drive = emulator.drive("business")
        until(lambda: any(call.kind == "socket" for call in emulator.calls.list()))
        until(lambda: told(config)["me"]["mirror"]["live"])
        for number in range(3):
            drive.put(f"/pushed {number}.txt", b"x")
            until(lambda number=number: dav.head(f"pushed%20{number}.txt").status == 200, 2.0)
        dav.close()


def test_status_of_what_cannot_be_reached(config: Path) -> None:
    """Exit status 1, and why."""

    def nowhere(data: dict) -> None:
        data["policies"]["team"]["library"] = "None such"

    done = run("status", "--config", str(change(config, nowhere)))
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "None such" in done.stdout
