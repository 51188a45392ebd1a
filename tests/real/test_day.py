"""A day of a media player and of a backup, in small, with faults; in full: `make bench BENCH=day`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real import backups, films
from tests.real.backups import Remote, Synced, make_forest, rclone, restic
from tests.real.programs import need, shell
from tests.support.world import USERS, World

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

RATE = 0.04
FILM = 40_000_000
QUARTER = 901.0
"""Seconds after which an upload that nobody goes on with holds its name no more."""


def remote(world: World, folder: Path, mount: str) -> Remote:
    """The mount, for rclone."""
    folder.mkdir()
    return Remote(f"{world.http}/{mount}", "alice", USERS["alice"], folder)


def test_a_player_jumps_about(world: World, tmp_path: Path) -> None:
    """ffmpeg decodes the same frames at ten places of a film, over HTTP and in bad weather, as from the file."""
    need("curl")
    film = films.make_film(tmp_path / "film.mkv", FILM)
    address = f"http://alice:{USERS['alice']}@{world.http.removeprefix('http://')}/me/film.mkv"
    shell(f"curl --fail -sS -T {film} {address}")
    storm = world.emulator.storm(0.2, seed=1)
    assert films.described(address) == films.described(str(film))
    assert not films.differences(film, address, films.places(film, 10, seed=1))
    assert storm.served


def test_a_sync_and_back(world: World, tmp_path: Path) -> None:
    """rclone stores 200 files in bad weather and fetches them again, to the byte; a second sync has nothing to do."""
    forest = make_forest(tmp_path / "forest", 200, seed=2)
    place = remote(world, tmp_path / "rclone", "team")
    storm = world.emulator.storm(RATE, seed=2)
    backups.sync(place, forest, "bridge:forest", lambda: world.emulator.clock.advance(QUARTER))
    assert rclone(place, f"sync {forest} bridge:forest") == Synced(0, [], [])
    assert rclone(place, f"copy bridge:forest {tmp_path / 'back'}").files == 200
    assert not backups.differences(forest, tmp_path / "back")
    assert sum(storm.served.values()) > 10


def test_a_backup_and_back(world: World, tmp_path: Path) -> None:
    """restic keeps two days in a repository on the bridge, in bad weather; checked in full and restored to the byte."""
    forest = make_forest(tmp_path / "forest", 100, seed=3)
    place = remote(world, tmp_path / "rclone", "me")
    storm = world.emulator.storm(RATE, seed=3)

    def run(rest: str) -> str:
        return restic("rclone:bridge:restic", rest, place, lambda: world.emulator.clock.advance(QUARTER))

    run("init")
    run(f"backup {forest}")
    backups.change(forest, seed=4)
    run(f"backup {forest}")
    assert "no errors were found" in run("check --read-data")
    run(f"restore latest --target {tmp_path / 'back'}")
    assert not backups.differences(forest, tmp_path / "back" / forest.relative_to("/"))
    assert storm.served
