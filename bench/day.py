"""`python -m bench day [--quick]`: the day of a media player and of a backup, while a part of Microsoft's answers fail.

A film of 2 GiB, played from here and there over HTTP and through a davfs2 mount; a tree of 5,000 files, sent by rclone
and by restic, fetched back, and compared to the byte. What is counted is differences; the times are told beside it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from bench.mirror import Emulated
from bench.servers import PASSWORD, USER, Server, bridge, emulated
from tests.real import backups, films
from tests.real.davfs import PLACE, Davfs, namespace
from tests.real.programs import shell

RATE = 0.04
_SENT = 45
"""Seconds in which davfs2 sends what was closed: it begins ten after that."""
QUARTER = 901
"""Seconds after which Microsoft has forgotten an upload that nobody goes on with."""


_ANSWER = r"davbridge\.access: \S+ \S+ (\S+) \S+ (4[^0]\d|40[^4]|5\d\d) "
"""What is not well in the bridge's log; 404 is how clients find out that a name is free."""


@dataclass(frozen=True)
class Size:
    """Of the day: bytes of the film, places to jump to, files."""

    film: int
    places: int
    files: int


FULL = Size(2 * 2**30, 60, 5000)
QUICK = Size(100_000_000, 10, 300)


@dataclass
class Day:
    """`different`: all that was not as it should be."""

    size: Size
    work: Path
    server: Server
    emulator: Emulated
    console: Console = field(default_factory=Console)
    different: list[str] = field(default_factory=list)

    @contextmanager
    def part(self, name: str, *, storm: bool = False) -> Iterator[list[str]]:
        """One part of the day: its time, the faults that came true, what the bridge answered, and what is added."""
        log = self.work / "bridge.log"
        start, told, before = time.monotonic(), list[str](), log.stat().st_size
        self.emulator.tell("/reset")
        if storm:
            self.emulator.tell("/storm", rate=RATE, seed=len(name))
        failed = ""
        try:
            yield told
        except (pytest.fail.Exception, AssertionError) as error:
            failed = str(error)[-2000:]
            self.different.append(f"{name}: {failed.splitlines()[0] if failed else 'failed'}")
        seconds = time.monotonic() - start
        served = Counter[str]()
        for kind, count in self.emulator.storm().items():
            served[kind.rpartition(": ")[2]] += count
        text = log.read_bytes()[before:].decode(errors="replace")
        answers = Counter(" ".join(found) for found in re.findall(_ANSWER, text))
        cut = sum(line.endswith("(cut)") for line in text.splitlines())
        calls = self.emulator.calls()
        self.console.print(f"[bold]{name}[/bold]: {seconds:,.1f} s", highlight=False)
        for what, counted in (
            ("told", told),
            ("faults", [f"{count} × {kind}" for kind, count in sorted(served.items())]),
            ("calls", [f"{len(calls):,}"]),
            ("answers", [f"{count} × {answer}" for answer, count in sorted(answers.items())]),
            ("cut", [str(cut)] if cut else []),
            ("FAILED", [failed] if failed else []),
        ):
            if counted:
                self.console.print(f"    {what}: {'; '.join(counted)}", highlight=False, markup=False, soft_wrap=True)

    def compare(self, told: list[str], different: list[str]) -> None:
        """Differences are what all this is about."""
        told.append(f"{len(different)} differences")
        self.different += different
        for one in different[:5]:
            self.console.print(f"    DIFFERENT: {one}", highlight=False, markup=False, soft_wrap=True)

    def quarter(self) -> None:
        """Let a quarter of an hour go by at Microsoft."""
        self.emulator.tell("/advance", seconds=QUARTER)


def main(*, quick: bool = False) -> int:
    """Exit status 1 when anything came back that was not sent, or anything failed in the end."""
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-") as name, emulated() as facts:
        work = Path(name)
        with bridge(work, facts) as server:
            day = Day(QUICK if quick else FULL, work, server, Emulated(facts))
            _films(day)
            _files(day)
        text = (work / "bridge.log").read_text(errors="replace")
    traces = text.count("Traceback (most recent call last)")
    day.console.print(f"{len(day.different)} differences; {traces} tracebacks in the bridge's log", highlight=False)
    return 1 if day.different or traces else 0


def _films(day: Day) -> None:
    folder = day.work / "films"
    folder.mkdir()
    with day.part("the film is made, and put into a second container"):
        mkv = films.make_film(folder / "film.mkv", day.size.film)
        mp4 = films.wrap_again(mkv, folder / "film.mp4")
    address = f"http://{USER}:{PASSWORD}@{day.server.base.removeprefix('http://')}{day.server.prefix}"
    for film in (mkv, mp4):
        with day.part(f"PUT of {film.name}", storm=True) as told:
            told.append(f"{film.stat().st_size / 2**20:,.0f} MiB")
            shell(f"curl --fail -sS -T {film} {address}/{film.name}", timeout=3600)
    for film in (mkv, mp4):
        places = films.places(film, day.size.places, seed=film.stat().st_size)
        source = f"{address}/{film.name}"
        for storm in (False, True):
            with day.part(f"{film.name} over HTTP, {len(places)} places{', with faults' * storm}", storm=storm) as told:
                same = films.described(source) == films.described(str(film))
                day.compare(told, films.differences(film, source, places) + ["ffprobe"] * (not same))
    _mounted(day, lambda davfs: _played(day, davfs, mkv))
    shutil.rmtree(folder)


def _played(day: Day, davfs: Davfs, film: Path) -> None:
    places = films.places(film, day.size.places // 3, seed=7)
    with day.part(f"{film.name} through davfs2, {len(places)} places, with faults", storm=True) as told:
        begin = time.monotonic()
        davfs.sh(f"head -c 1 {PLACE}/{film.name} > /dev/null", timeout=3600)
        told.append(f"first byte after {time.monotonic() - begin:.1f} s")
        different = [
            f"davfs2 at {place} s"
            for place in places
            if davfs.sh(films.command(f"{PLACE}/{film.name}", place), check=False).stdout
            != films.frames(str(film), place)
        ]
        day.compare(told, different)


def _mounted(day: Day, act: Callable[[Davfs], None]) -> None:
    """With the mount; without davfs2 or /dev/fuse this part is left out, and that is said."""
    # by another user than we are, so not in our own folder
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-davfs2-") as cache:
        Path(cache).chmod(0o777)
        _mounted_with(day, act, cache)


def _mounted_with(day: Day, act: Callable[[Davfs], None], cache: str) -> None:
    options = day.work / "davfs2.conf"
    # the cache holds whole files: it must be larger than the largest, or each open loads it anew
    options.write_text(f"buf_size 64\ncache_dir {cache}\ncache_size {2 * day.size.film >> 20}\n")
    line = (
        f"printf '{USER}\\n{PASSWORD}\\n' | "
        f"mount -t davfs -o conf={options} {day.server.base}{day.server.prefix} {PLACE}"
    )
    try:
        with namespace() as davfs:
            davfs.mount(line)
            try:
                act(davfs)
            finally:
                davfs.sh(f"mountpoint -q {PLACE} && umount {PLACE}", check=False, timeout=3600)
    except pytest.skip.Exception as reason:
        day.console.print(f"[bold]davfs2[/bold]: left out, since {reason}")


def _files(day: Day) -> None:
    forest = backups.make_forest(day.work / "forest", day.size.files, seed=5)
    sizes = [file.stat().st_size for file in forest.rglob("*") if file.is_file()]
    day.console.print(f"{len(sizes):,} files with {sum(sizes) / 2**20:,.0f} MiB", highlight=False)
    folder = day.work / "rclone"
    folder.mkdir()
    remote = backups.Remote(day.server.base + day.server.prefix, USER, PASSWORD, folder)
    with day.part("rclone sync, with faults", storm=True) as told:
        runs = backups.sync(remote, forest, "bridge:forest", day.quarter)
        told.append(f"{', '.join(f'{run.files:,} files' for run in runs)} in {len(runs)} runs")
        told.append(f"{sum(len(run.repeated) for run in runs)} requests repeated by rclone")
        told += [f"{count} × {why}" for why, count in _reasons(runs).items()]
    with day.part("rclone sync once more, with faults", storm=True) as told:
        again = backups.rclone(remote, f"sync {forest} bridge:forest")
        told.append(f"{again.files} files, {len(again.repeated)} requests repeated, {len(again.failed)} failed")
        stores = [call for call in day.emulator.calls() if call["method"] in ("PUT", "POST", "PATCH", "DELETE")]
        day.compare(told, [f"a second sync transferred {again.files} files"] * (again.files > 0) + again.failed)
        told.append(f"{len(stores)} calls that write")
    with day.part("rclone copy back, with faults", storm=True) as told:
        back = backups.rclone(remote, f"copy bridge:forest {day.work / 'back'}")
        told.append(f"{back.files:,} files, {len(back.repeated)} requests repeated")
        day.compare(told, backups.differences(forest, day.work / "back") + back.failed)
    shutil.rmtree(day.work / "back", ignore_errors=True)
    with day.part("restic through its rclone backend, with faults", storm=True) as told:

        def waited() -> None:
            told.append("once more after a quarter of an hour")
            day.quarter()

        _restic(day, told, forest, lambda rest: backups.restic("rclone:bridge:restic", rest, remote, waited))
    _mounted(day, lambda davfs: _backed_up(day, davfs, forest))
    _mounted(day, lambda davfs: _restored_mounted(day, davfs, forest))


def _backed_up(day: Day, davfs: Davfs, forest: Path) -> None:
    with day.part("restic into a davfs2 mount, with faults", storm=True):
        _back_up(day, forest, _restic_on(davfs))
        time.sleep(_SENT)
    # umount tries once, and says nothing of what it could not send: docs/clients.md
    with day.part("umount, in fair weather"):
        davfs.sh(f"umount {PLACE}", timeout=3600)


def _restored_mounted(day: Day, davfs: Davfs, forest: Path) -> None:
    with day.part("restic from a davfs2 mount with an empty cache, with faults", storm=True) as told:
        _restore(day, told, forest, _restic_on(davfs))


def _restic_on(davfs: Davfs) -> Callable[[str], str]:
    command = backups.command(f"{PLACE}/restic mounted", "")
    return lambda rest: davfs.sh(command + rest + " 2>&1", timeout=3600).stdout


def _restic(day: Day, told: list[str], forest: Path, restic: Callable[[str], str]) -> None:
    """Two days of backups, checked in full, and both restored."""
    _back_up(day, forest, restic)
    _restore(day, told, forest, restic)


def _back_up(day: Day, forest: Path, restic: Callable[[str], str]) -> None:
    restic("init")
    restic(f"backup {forest}")
    shutil.copytree(forest, day.work / "first")
    backups.change(forest, seed=6)
    restic(f"backup {forest}")


def _restore(day: Day, told: list[str], forest: Path, restic: Callable[[str], str]) -> None:
    checked = restic("check --read-data")
    different = [] if "no errors were found" in checked else [checked[-500:]]
    first = day.work / "first"
    snapshots = re.findall(r"^([0-9a-f]{8})  ", restic("snapshots"), re.M)
    # a run that failed in its last step may have left a snapshot of the same files
    for snapshot, tree in ((snapshots[0], first), (snapshots[-1], forest)):
        target = day.work / "restored"
        restic(f"restore {snapshot} --target {target}")
        different += backups.differences(tree, target / forest.relative_to("/"))
        shutil.rmtree(target)
    shutil.rmtree(first)
    day.compare(told, different)


def _reasons(runs: list[backups.Synced]) -> Counter[str]:
    """Why rclone repeated a request or gave a file up, without the names."""
    told = [why for run in runs for why in (*run.repeated, *run.failed)]
    return Counter(re.sub(r"^.*(error |: )(/\S.*? (?=is being))?", "", why)[-60:] for why in told)
