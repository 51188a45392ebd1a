"""davfs2: the bridge as a folder of the system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.real.conftest import Demo
from tests.real.davfs import PLACE, Davfs, namespace
from tests.real.programs import need, shell
from tests.real.test_rclone import EDIT, remote
from tests.real.trees import MEGABYTE, digest, make_tree

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def mount(davfs: Davfs, demo: Demo, mount: str) -> None:
    """Mount with the printed line, its mount point and policy replaced by ours."""
    line = re.sub(r"/mnt/\S+", PLACE, demo.line("mount -t davfs"))
    davfs.mount(re.sub(rf"{demo.base}/\w+", f"{demo.base}/{mount}", line))


@pytest.mark.parametrize("policy", ["me", "team"])
def test_mount(demo: Demo, tmp_path: Path, policy: str) -> None:
    """`cp -r`, `mv`, an editor's save, `mv` over a file and `rm -r` do what they do on a disk."""
    tree = make_tree(tmp_path / "tree", largest=5 * MEGABYTE)
    need("ed")
    with namespace() as davfs:
        mount(davfs, demo, policy)
        davfs.sh(f"cp -r {tree} {PLACE}/davfs; ls -la {PLACE}/davfs")
        davfs.sh(f"cd {PLACE}; mv davfs moved; mv 'moved/with spaces.txt' moved/plain.txt")
        davfs.sh(f"cd {PLACE}/moved; printf 'first\\n' > note.txt; sleep 1; {EDIT}")
        davfs.sh(
            f"cd {PLACE}/moved; printf 'new\\n' > note.tmp; mv note.tmp over.txt; printf 'newer\\n' > t; mv t over.txt"
        )
        davfs.unmount()
        flags = remote(demo, policy)
        back = tmp_path / "back"
        shell(f"rclone copy {flags} :webdav:moved {back}")
        found = digest(back)
        assert (back / "note.txt").read_text() == "second\n"
        assert (back / "over.txt").read_text() == "newer\n"
        expected = digest(tree)
        expected["plain.txt"] = expected.pop("with spaces.txt")
        assert {name: value for name, value in found.items() if name not in ("note.txt", "over.txt")} == expected
        mount(davfs, demo, policy)
        listed = davfs.sh(f"ls {PLACE}/moved; df -h {PLACE} | tail -n 1").stdout
        assert "emoji 🦊.txt" in listed
        davfs.sh(f"rm -r {PLACE}/moved")
        davfs.unmount()
    assert "moved/" not in shell(f"rclone lsf {flags} :webdav:").stdout.splitlines()


@pytest.mark.parametrize("policy", ["me", "team"])
def test_a_folder_that_is_moved_and_deleted_at_once(demo: Demo, policy: str) -> None:
    """`rm -r` of a folder that was moved before davfs2 has stored its files succeeds."""
    with namespace() as davfs:
        mount(davfs, demo, policy)
        davfs.sh(
            f"cd {PLACE}; mkdir -p hasty/tree/d hasty/V1; echo x > hasty/tree/d/x; mv hasty/tree hasty/V1/tree; "
            "rm -r hasty/V1/tree; ls hasty/V1; rm -r hasty"
        )
        davfs.unmount()
    assert "hasty/" not in shell(f"rclone lsf {remote(demo, policy)} :webdav:").stdout.splitlines()


def test_a_second_mount_sees_what_the_first_wrote(demo: Demo) -> None:
    """Bytes written through one mount are read through another, of the other policy's neighbour untouched."""
    with namespace() as davfs:
        mount(davfs, demo, "me")
        davfs.sh(f"head -c 3000000 /dev/urandom > {PLACE}/shared.bin; sha256sum < {PLACE}/shared.bin > /mnt/sum")
        davfs.unmount()
        mount(davfs, demo, "me")
        davfs.sh(f"sha256sum -c <(sed 's|-|{PLACE}/shared.bin|' /mnt/sum); rm {PLACE}/shared.bin")
        davfs.unmount()
