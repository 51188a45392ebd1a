"""cadaver, the command-line WebDAV client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.real.conftest import Demo
from tests.real.programs import ENVIRONMENT, need

pytestmark = pytest.mark.real


def cadaver(demo: Demo, mount: str, work: Path, commands: str) -> str:
    """Run commands in a cadaver session; credentials from a .netrc as a person would have them."""
    need("cadaver")
    netrc = work / ".netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin {demo.user}\npassword {demo.password}\n")
    netrc.chmod(0o600)
    done = subprocess.run(
        ["cadaver", f"{demo.base}/{mount}/"],
        input=commands + "quit\n",
        env={**ENVIRONMENT, "HOME": str(work)},
        cwd=work,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("mount", ["me", "team"])
def test_a_session(demo: Demo, tmp_path: Path, mount: str) -> None:
    """A session of put, ls, lock, move, copy, properties and delete has no failure."""
    (tmp_path / "a.txt").write_text("from cadaver\n")
    out = cadaver(
        demo,
        mount,
        tmp_path,
        "mkcol cad\ncd cad\nput a.txt\nls\nlock a.txt\nput a.txt\nunlock a.txt\nmove a.txt b.txt\ncopy b.txt c.txt\n"
        "propset c.txt colour blue\npropget c.txt colour\nget c.txt back.txt\nls\ncd ..\nrmcol cad\n",
    )
    assert "failed" not in out.lower(), out
    assert "blue" in out
    assert (tmp_path / "back.txt").read_text() == "from cadaver\n"


def test_printed_line(demo: Demo) -> None:
    """The demo prints how to start it."""
    assert demo.line("cadaver").endswith("/")
