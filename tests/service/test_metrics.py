"""`/metrics`: the same figures from whichever worker answers."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from tests.service.test_serve import change, emulator
from tests.service.test_status import until
from tests.support.ports import free_port
from tests.support.serving import serving, write_configuration

__all__ = ["emulator"]
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def ask(port: int, path: str = "/metrics") -> str:
    """A page of the metrics' address."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


def test_every_worker_tells_the_same(emulator: Emulator, tmp_path: Path) -> None:
    """Also one that has had no request: the policies are left out until it has found their drives, and never wrong."""
    emulator.reset()
    port = free_port()
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2, metrics=f"127.0.0.1:{port}")
    with serving(config) as served:
        with closing(served.dav("me")) as dav:
            dav.propfind(check=207)
        assert all(" 0.0" not in _found(ask(port)) for _ in range(8))
        whole = re.compile(r'davbridge_policy_found\{policy="me"\} 1.0\n(?:.*\n)*.*policy_found\{policy="team"\} 1.0')
        until(lambda: all(whole.search(ask(port)) for _ in range(10)))


def assert_written_down(told: str) -> None:
    """docs/operations.md has a row for each series: its type, its labels, its help, and the states that there are."""
    rows = dict(re.findall(r"^\| `(davbridge_\w+)` \| (.*) \|$", OPERATIONS.read_text(), re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", told, re.MULTILINE))
    types = dict(re.findall(r"^# TYPE (\S+) (.*)$", told, re.MULTILINE))
    assert set(rows) == set(helps) == set(types)
    for name, row in rows.items():
        kind, labels, meaning = row.split(" | ")
        samples = re.findall(rf"^{name}{{(.*)}} \S+$", told, re.MULTILINE)
        assert kind == types[name]
        assert {tuple(re.findall(r'(\w+)="', sample)) for sample in samples} == {tuple(re.findall(r"`(\w+)`", labels))}
        assert meaning.startswith(helps[name].rstrip(".")), name
        if states := {state for sample in samples for state in re.findall(r'state="([^"]*)"', sample)}:
            assert states == set(re.findall(r"`([^`]+)`", meaning))


def _found(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if line.startswith("davbridge_policy_found"))


def test_metrics(emulator: Emulator, tmp_path: Path) -> None:
    """The mirror's state and its enumeration, of each policy, on an address of its own and nowhere else."""
    emulator.reset()
    emulator.drive("business").put("/a/b.txt", b"x")
    port = free_port()
    config = write_configuration(emulator, tmp_path, listen="127.0.0.1:0", workers=2, metrics=f"127.0.0.1:{port}")
    ends = (datetime.now(UTC) + timedelta(days=10)).date()
    change(config, lambda data: data["accounts"]["contoso"].update(secret_expires=ends))
    change(config, lambda data: data["policies"]["me"].update(cache="64M"))
    with serving(config) as served:
        for mount in ("me", "team"):
            with closing(served.dav(mount)) as dav:
                dav.propfind(check=207)
        until(lambda: all('davbridge_mirror_live{policy="team"} 1.0' in ask(port) for _ in range(8)))
        until(lambda: all('davbridge_mirror_live{policy="me"} 1.0' in ask(port) for _ in range(8)))
        told = ask(port)
        assert_written_down(told)
        assert 'davbridge_mirror_items{policy="me"} 3.0' in told
        assert 'davbridge_mirror_state{policy="team",state="live"} 1.0' in told
        assert 'davbridge_account_state{account="contoso",state="ok"} 1.0' in told
        assert 'davbridge_account_state{account="contoso",state="needs sign-in"} 0.0' in told
        assert 'davbridge_graph_pause_seconds{account="contoso"} 0.0' in told
        emulator.faults.add("create folder", Status(429, retry_after=120))
        dav = served.dav()
        dav.mkcol("d", check=503)
        dav.close()
        pause = re.search(r'davbridge_graph_pause_seconds\{account="contoso"\} (\S+)', ask(port))
        assert pause
        assert 100 < float(pause[1]) <= 120
        left = re.search(r'davbridge_account_expires_seconds\{account="contoso",what="secret"\} (\S+)', told)
        assert left
        assert 9 * 86400 < float(left[1]) <= 11 * 86400
        assert re.search(r'davbridge_mirror_age_seconds\{policy="me"\} \d', told)
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            ask(port, "/")
        refused.value.close()
        dav = served.dav("metrics")
        dav.get(check=404)
        dav.close()
