"""A backup's day: a tree as people have it, sent by rclone and restic, fetched back, and compared to the byte."""

from __future__ import annotations

import json
import os
import random
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.real.programs import need, shell
from tests.real.trees import digest

_WORDS = (
    "Rechnung",
    "Größe und Maß",
    "été",
    "report",
    "100 % of it",
    "a & b; c",
    "it's",
    "[draft]",
    "日本語",
    "🦊",
    "#1",
)
_ENDINGS = (".txt", ".jpg", ".pdf", ".docx", ".xlsx", ".tar.gz", "", ".MOV")
_SIZES = (
    (0.03, 0, 0),
    (0.62, 1, 8_000),
    (0.25, 8_000, 200_000),
    (0.09, 200_000, 2_000_000),
    (0.01, 5_000_000, 12_000_000),
)
"""Share, least and largest size: many small ones, and a few that need several fragments' worth."""
_TIME = 1_500_000_000


def make_forest(root: Path, count: int, seed: int) -> Path:
    """`count` files in a twentieth as many folders, with sizes, times and names of all kinds; NFD among them."""
    chance = random.Random(seed)
    folders = [root]
    for number in range(max(1, count // 20)):
        folders.append(chance.choice(folders[-40:]) / _name(chance, number, ""))
    for number in range(count):
        place = chance.choice(folders) / _name(chance, number, chance.choice(_ENDINGS))
        place.parent.mkdir(parents=True, exist_ok=True)
        _, least, largest = chance.choices(_SIZES, [share for share, _, _ in _SIZES])[0]
        place.write_bytes(chance.randbytes(chance.randint(least, largest)))
        os.utime(place, (_TIME + 1000 * number, _TIME + 1000 * number))
    return root


def change(root: Path, seed: int) -> None:
    """A day's work: of every forty files one is written anew, one is longer, one has another name, one is gone."""
    chance = random.Random(seed)
    for number, place in enumerate(sorted(file for file in root.rglob("*") if file.is_file())):
        match number % 40:
            case 0:
                place.write_bytes(chance.randbytes(20_000))
            case 1:
                with place.open("ab") as file:
                    file.write(chance.randbytes(100))
            case 2:
                place.rename(place.with_name("renamed " + place.name))
            case 3:
                place.unlink()


def _name(chance: random.Random, number: int, ending: str) -> str:
    form = chance.choice(("NFC", "NFD"))
    return unicodedata.normalize(form, f"{chance.choice(_WORDS)} {number}{ending}")


def differences(first: Path, second: Path) -> list[str]:
    """Names, to the byte, that only one of them has, or that have another content in the other."""
    one, other = digest(first), digest(second)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@dataclass(frozen=True)
class Remote:
    """A mount of the bridge as rclone knows it."""

    url: str
    user: str
    password: str
    folder: Path
    """For the configuration and the log."""

    @property
    def config(self) -> Path:
        """A configuration file with the remote `bridge:`."""
        file = self.folder / "rclone.conf"
        if not file.exists():
            need("rclone")
            obscured = shell(f"rclone obscure {self.password}").stdout.strip()
            file.write_text(
                f"[bridge]\ntype = webdav\nurl = {self.url}\nvendor = owncloud\nuser = {self.user}\npass = {obscured}\n"
            )
        return file


@dataclass(frozen=True)
class Synced:
    """What rclone says of one run: files it sent or fetched, why it repeated requests, and what `failed`."""

    files: int
    repeated: list[str]
    failed: list[str]


def rclone(remote: Remote, command: str, *, timeout: float = 3600) -> Synced:
    """Run `sync` or `copy` with its two places; `bridge:` is the remote."""
    log = remote.folder / "rclone.log"
    log.unlink(missing_ok=True)
    options = "--use-json-log --log-level DEBUG --stats 1h --retries 1 --low-level-retries 3"
    shell(f"rclone --config {remote.config} {options} --log-file {log} {command}", check=False, timeout=timeout)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    stats = [line["stats"] for line in lines if "stats" in line][-1]
    repeated = [line["msg"] for line in lines if line.get("object") == "pacer" and "retry" in line["msg"]]
    failed = [f"{line.get('object', '')}: {line['msg']}" for line in lines if line["level"] == "error"]
    return Synced(stats["transfers"], repeated, failed)


def sync(remote: Remote, source: Path, target: str, wait: Callable[[], None], *, runs: int = 5) -> list[Synced]:
    """Run `rclone sync` until nothing fails, and `wait` between two runs, as a job does that runs every hour.

    Why not once: Microsoft holds the name of a file for a quarter of an hour when the answer to the opening of its
    upload was lost (facts/graph.md §3.2). Raises AssertionError after so many `runs`.
    """
    done = [rclone(remote, f"sync {source} {target}")]
    while done[-1].failed:
        assert len(done) < runs, done[-1].failed
        wait()
        done.append(rclone(remote, f"sync {source} {target}"))
    return done


def command(repository: str, rest: str) -> str:
    """A restic command line on a repository: a folder, or `rclone:bridge:PATH` of a remote."""
    return f"RESTIC_PASSWORD=tests restic --no-cache -r {shlex.quote(repository)} {rest}"


def restic(repository: str, rest: str, remote: Remote, wait: Callable[[], None], *, runs: int = 5) -> str:
    """Run it over the remote until it succeeds, and `wait` between two runs: as `sync`; what it prints.

    A run that failed may have left its lock, which is in the way of `check`.
    """
    need("restic")
    environment = f"RCLONE_CONFIG={remote.config} "
    for _ in range(runs - 1):
        done = shell(f"{environment}{command(repository, rest)} 2>&1", check=False, timeout=3600)
        if done.returncode == 0:
            return done.stdout
        wait()
        shell(f"{environment}{command(repository, 'unlock')}", check=False, timeout=3600)
    return shell(f"{environment}{command(repository, rest)} 2>&1", timeout=3600).stdout
