"""A film, and what a media player does with it: ffmpeg jumps to a place and decodes a few frames there."""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterable
from pathlib import Path

from tests.real.programs import need, shell

FRAMES = 3


def make_film(place: Path, size: int) -> Path:
    """A film of about `size` bytes, some 7 MB a second: noise, so that no two of its frames are alike.

    `.mkv` has its index at the end, where a player looks for it first, and so has `.mp4` as ffmpeg writes it.
    """
    need("ffmpeg")
    shell(
        f"ffmpeg -v error -y -f lavfi -i testsrc2=s=640x360:r=25,noise=alls=60:allf=t -f lavfi -i sine "
        f"-c:v mpeg4 -q:v 1 -g 25 -c:a aac -fs {size} {place}",
        timeout=600,
    )
    return place


def wrap_again(film: Path, place: Path) -> Path:
    """The same pictures in another container, by the ending of `place`."""
    shell(f"ffmpeg -v error -y -i {film} -c copy {place}", timeout=600)
    return place


def length(film: Path) -> float:
    """Seconds."""
    return float(shell(f"ffprobe -v error -show_entries format=duration -of csv=p=0 {film}").stdout)


def places(film: Path, count: int, seed: int) -> list[float]:
    """Where to jump to, in seconds: anywhere, and once near the beginning and near the end."""
    chance, seconds = random.Random(seed), length(film)
    anywhere = [chance.uniform(0, seconds - 1) for _ in range(count - 2)]
    return [round(place, 2) for place in (*anywhere, 0.0, seconds - 1)]


def described(source: str) -> str:
    """What ffprobe tells of its streams."""
    return shell(f"ffprobe -v error -show_streams -of json {shlex.quote(source)}", timeout=600).stdout


def command(source: str, at: float) -> str:
    """The line that prints the checksums and times of the frames from `at` on, and whatever ffmpeg complains of."""
    return (
        f"ffmpeg -v error -threads 1 -ss {at} -i {shlex.quote(source)} -frames:v {FRAMES} -map 0:v -f framemd5 - 2>&1"
    )


def frames(source: str, at: float) -> str:
    """What it prints."""
    return shell(command(source, at), check=False, timeout=600).stdout


def differences(film: Path, source: str, at: Iterable[float]) -> list[str]:
    """The places at which `source` shows something else than the film does."""
    return [
        f"{source.rpartition('@')[2]} at {place} s: {shown[-200:]!r}"
        for place in at
        if (shown := frames(source, place)) != frames(str(film), place)
    ]
