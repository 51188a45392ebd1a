"""rclone's WebDAV backend, as a copier and as a mount."""

from __future__ import annotations

import os
import random
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.real.conftest import Demo
from tests.real.programs import fuse_mount, need, shell
from tests.real.trees import MEGABYTE, digest, make_tree
from tests.support.world import USERS, World

EDIT = r"printf ',s/first/second/\nw\nq\n' | ed -s note.txt"
"""An editor's save, in the current folder."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def remote(demo: Demo, mount: str) -> str:
    """The flags and the remote of an on-the-fly WebDAV backend."""
    need("rclone")
    password = shell(f"rclone obscure {demo.password}").stdout.strip()
    return f"--webdav-url {demo.base}/{mount} --webdav-user {demo.user} --webdav-pass {password} --webdav-vendor other"


def test_printed_copy_lines(demo: Demo, tmp_path: Path) -> None:
    """The printed rclone lines copy the demo's sample, wherever they are pasted, and with /team, too."""
    need("rclone")
    (tmp_path / "mine.txt").write_text("not to be copied")
    for mount in ("me", "team"):
        lines = [demo.line("rclone", words).replace("/me ", f"/{mount} ") for words in (" copy ", " check ")]
        shell("\n".join(lines), cwd=tmp_path)
        listed = shell(f"rclone lsf -R --files-only {remote(demo, mount)} :webdav:copied").stdout
        assert sorted(listed.split("\n")) == ["", "more/Fox 🦊.txt", "more/zeros.bin", "note.txt"]


@pytest.mark.parametrize("mount", ["me", "team"])
def test_copy_and_check_a_mixed_tree(demo: Demo, tmp_path: Path, mount: str) -> None:
    """Nothing differs after `copy` and `check --download` of 0 bytes to 100 MB and every awkward name."""
    make_tree(tmp_path)
    flags = remote(demo, mount)
    shell(f"rclone copy {flags} {tmp_path} :webdav:tree", timeout=400)
    shell(f"rclone check --download {flags} {tmp_path} :webdav:tree", timeout=400)
    listed = shell(f"rclone lsf -R --files-only {flags} :webdav:tree").stdout.splitlines()
    assert len(listed) == len(digest(tmp_path))
    shell(f"rclone purge {flags} :webdav:tree")


@pytest.mark.parametrize("mount", ["me", "team"])
def test_move_and_server_side_copy(demo: Demo, tmp_path: Path, mount: str) -> None:
    """`moveto`, `copyto`, `rmdirs` and a second, empty `sync` behave as on a disk."""
    make_tree(tmp_path, largest=MEGABYTE)
    flags = remote(demo, mount)
    shell(f"rclone copy {flags} {tmp_path} :webdav:moved/a")
    shell(f"rclone moveto {flags} :webdav:moved/a :webdav:moved/b")
    shell(f"rclone check --download {flags} {tmp_path} :webdav:moved/b")
    shell(f"rclone copyto {flags} ':webdav:moved/b/with spaces.txt' :webdav:moved/c.txt")
    again = shell(f"rclone sync -v {flags} {tmp_path} :webdav:moved/b --size-only 2>&1").stdout
    assert "Copied" not in again
    shell(f"rclone purge {flags} :webdav:moved")
    assert "moved/" not in shell(f"rclone lsf {flags} :webdav:").stdout.splitlines()


def mounted(demo: Demo, mount: str, place: Path) -> AbstractContextManager[Path]:
    """An rclone mount of `/me` or `/team` on `place`."""
    place.mkdir()
    return fuse_mount(
        f"exec rclone mount {remote(demo, mount)} :webdav: {place} --vfs-cache-mode writes --vfs-write-back 0s "
        f"--dir-cache-time 1s --cache-dir {place}.cache",
        place,
    )


@pytest.mark.parametrize("mount", ["me", "team"])
def test_mount(demo: Demo, tmp_path: Path, mount: str) -> None:
    """On an rclone mount `cp -r`, `mv`, an editor's save and `rm -r` do what they do on a disk."""
    tree = make_tree(tmp_path / "tree", largest=5 * MEGABYTE)
    with mounted(demo, mount, tmp_path / "mnt") as place:
        # rclone stores a file a moment after close(2): the kernel does not wait for the release
        shell(f"cp -r {tree} {place}/mounted; sleep 1")
        shell(f"mv {place}/mounted {place}/renamed; mv '{place}/renamed/with spaces.txt' {place}/renamed/plain.txt")
        shell(f"cd {place}/renamed; printf 'first\\n' > note.txt; {EDIT}")
        assert (place / "renamed/note.txt").read_text() == "second\n"
    flags = remote(demo, mount)
    back = tmp_path / "back"
    shell(f"rclone copy {flags} :webdav:renamed {back}")
    expected = digest(tree)
    expected["plain.txt"] = expected.pop("with spaces.txt")
    found = digest(back)
    assert (back / "note.txt").read_text() == "second\n"
    del found["note.txt"]
    assert found == expected
    with mounted(demo, mount, tmp_path / "mnt2") as place:
        shell(f"rm -r {place}/renamed")
    assert "renamed/" not in shell(f"rclone lsf {flags} :webdav:").stdout.splitlines()


@pytest.mark.parametrize("mount", ["me", "team"])
def test_nextcloud_chunks(world: World, tmp_path: Path, mount: str) -> None:
    """Vendor `nextcloud` sends a large file in chunks and a small one whole; both keep their times, twice."""
    need("rclone")
    password = shell(f"rclone obscure {USERS['alice']}").stdout.strip()
    flags = f"--webdav-url {world.http}/remote.php/dav/files/alice --webdav-vendor nextcloud --webdav-user alice"
    flags += f" --webdav-pass {password} --webdav-nextcloud-chunk-size 1M"
    source = tmp_path / "source"
    source.mkdir()
    for seed in (b"first", b"other"):
        (source / "large file.bin").write_bytes(random.Random(seed).randbytes(3 * MEGABYTE + 17))
        (source / "small.bin").write_bytes(seed)
        for path in source.iterdir():
            os.utime(path, (1580702706, 1580702706))
        said = shell(f"rclone copy -vv --ignore-times {flags} {source} :webdav:{mount}/copied 2>&1").stdout
        assert "chunked upload strategy" in said
        shell(f"rclone check --download {flags} {source} :webdav:{mount}/copied")
        again = shell(f"rclone copy -v {flags} {source} :webdav:{mount}/copied 2>&1").stdout
        assert "Copied" not in again
        assert "Updated modification time" not in again
    assert not list((world.folder / "state" / "chunks").glob("*/*"))
