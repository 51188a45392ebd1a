"""curl, with the lines that the demo prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.conftest import Demo
from tests.real.programs import need, shell

pytestmark = pytest.mark.real


def test_printed_upload_and_download_lines(demo: Demo, tmp_path: Path) -> None:
    """The two curl lines work as pasted, one after the other, in an empty folder."""
    need("curl")
    up, down = demo.line("curl", "-T"), demo.line("curl", "-o")
    shell(up, cwd=tmp_path)
    assert shell(down, cwd=tmp_path).stdout == "the same\n"
    assert (tmp_path / "hello-again.txt").read_text() == "hello\n"


@pytest.mark.parametrize("mount", ["me", "team"])
def test_names_that_need_escapes(demo: Demo, tmp_path: Path, mount: str) -> None:
    """A name with `#`, `%`, `+`, a space and an emoji comes back with the same bytes, and tells its file name."""
    need("curl")
    (tmp_path / "body").write_bytes(bytes(range(256)) * 1000)
    url = f"{demo.base}/{mount}/a%20%23%25%2B%20%F0%9F%A6%8A.bin"
    auth = f"-u {demo.user}:{demo.password}"
    shell(f"curl -sS --fail {auth} -T body {url}", cwd=tmp_path)
    shell(f"curl -sS --fail {auth} -D head -o back {url}", cwd=tmp_path)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "body").read_bytes()
    assert "filename*=UTF-8''a%20%23%25%2B%20%F0%9F%A6%8A.bin" in (tmp_path / "head").read_text()


@pytest.mark.parametrize("mount", ["me", "team"])
def test_resume_of_a_download(demo: Demo, tmp_path: Path, mount: str) -> None:
    """`curl -C -` completes a half-downloaded file."""
    need("curl")
    body = bytes(range(251)) * 20_000
    (tmp_path / "body").write_bytes(body)
    (tmp_path / "part").write_bytes(body[:1_234_567])
    url = f"{demo.base}/{mount}/resume.bin"
    auth = f"-u {demo.user}:{demo.password}"
    shell(f"curl -sS --fail {auth} -T body {url}; curl -sS --fail {auth} -C - -o part {url}", cwd=tmp_path)
    assert (tmp_path / "part").read_bytes() == body


def test_an_upload_from_a_pipe(demo: Demo, tmp_path: Path) -> None:
    """An upload of unknown length (chunked) is stored whole."""
    need("curl")
    auth = f"-u {demo.user}:{demo.password}"
    url = f"{demo.base}/me/piped.bin"
    shell(f"head -c 7000000 /dev/zero | curl -sS --fail {auth} -T - {url}; curl -sS {auth} -o back {url}", cwd=tmp_path)
    assert (tmp_path / "back").read_bytes() == bytes(7_000_000)


def test_browser_listing(demo: Demo) -> None:
    """A browser sees a page with the files, no script and a strict policy."""
    need("curl")
    answer = shell(
        f"curl -sS -i -u {demo.user}:{demo.password} -A 'Mozilla/5.0 Firefox/140' -H 'Accept: text/html' "
        f"{demo.base}/me/"
    ).stdout
    assert "200 OK" in answer.splitlines()[0]
    assert "default-src 'none'" in answer
    assert "<script" not in answer.lower()
    assert 'href="' in answer
