"""A davfs2 mount, in a mount namespace of its own, so that no mount outlives its test.

Kernels from 6.15 on ask FUSE for as much of a folder as the reader's buffer holds (32 KiB from glibc), and davfs2, up
to 1.7.1 at least, refuses more than its own buffer of 16 KiB: `ls` fails with EINVAL. `buf_size 64` cures it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.programs import ENVIRONMENT, need, shell

PLACE = f"/mnt/davbridge-test-{os.getpid()}"
"""Nobody else's: outside of the namespace mount.davfs keeps a file by the name of each mount point."""


@dataclass
class Davfs:
    """A namespace in which davfs2 mounts live; `/mnt` is an empty folder of its own there."""

    holder: int

    def sh(self, script: str, *, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside."""
        entered = f"nsenter --target {self.holder} --mount -- bash -euc {shlex.quote(script)}"
        return shell(entered, check=check, timeout=timeout)

    def mount(self, line: str, place: str = PLACE) -> None:
        """Run a mount command line as it was printed."""
        self.sh(f"mkdir -p {place}; {line.replace('sudo ', '')}")

    def unmount(self, place: str = PLACE) -> None:
        """Unmount: davfs2 sends what it still holds, and returns when everything is stored."""
        self.sh(f"umount {place}", timeout=300)


@contextmanager
def namespace() -> Iterator[Davfs]:
    """A fresh mount namespace, or a skip with its reason."""
    if os.geteuid() != 0:
        pytest.skip("a davfs2 mount needs root")
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    need("mount.davfs")
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"], env=ENVIRONMENT)
    davfs = Davfs(holder.pid)
    try:
        # the holder needs a moment to become the other namespace; whoever enters before mounts in the test's own
        other = f"[ $(readlink /proc/{holder.pid}/ns/mnt) != $(readlink /proc/self/ns/mnt) ]"
        shell(f"for i in $(seq 200); do {other} && exit; sleep 0.05; done; exit 1")
        davfs.sh("mount -t tmpfs tmpfs /mnt")
        yield davfs
    finally:
        davfs.sh("mount -t fuse | awk '{print $3}' | xargs -r umount", check=False)
        holder.kill()
        holder.wait()
