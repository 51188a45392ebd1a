"""Real client programs: where they are, and how they are run.

A program that is missing skips its test with the reason; `.ci/run` counts skips as failures, so on a machine that can
have the program nothing is passed over silently.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TRIXIE = PROJECT / ".cache" / "trixie"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
    "RCLONE_CONFIG": "/dev/null",
    "LC_ALL": "C.UTF-8",
}


def need(program: str) -> str:
    """The path of `program`, or skip."""
    found = shutil.which(program, path=ENVIRONMENT["PATH"])
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


@contextmanager
def fuse_mount(script: str, place: Path) -> Iterator[Path]:
    """The folder `place`, mounted by a bash script that stays in the foreground until it is unmounted; or skip."""
    need("fusermount3")
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    process = subprocess.Popen(["bash", "-c", script], env=ENVIRONMENT)
    try:
        shell(f"for i in $(seq 200); do mountpoint -q {place} && exit; sleep 0.1; done; exit 1")
        yield place
    finally:
        shell(f"fusermount3 -u {place} || fusermount3 -uz {place}", check=False)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def shell(
    script: str, *, check: bool = True, cwd: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a bash script; its output is kept, and shown when it fails."""
    done = subprocess.run(
        ["bash", "-c", "set -eu -o pipefail\n" + script],
        check=False,
        cwd=cwd,
        env=ENVIRONMENT,
        text=True,
        capture_output=True,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        pytest.fail(f"exit status {done.returncode} of:\n{script}\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done
