"""The lines that the demo prints, where they depend on the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from davbridge.cli.demo import page


def test_rclone_that_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one beside the running Python is named by its full path, and one on the PATH by its name."""
    own, usual = tmp_path / "own env" / "rclone", tmp_path / "usual" / "rclone"
    for program in (own, usual):
        program.parent.mkdir()
        program.touch(0o755)
    monkeypatch.setattr(sys, "executable", str(own.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = [line.strip() for line in page("http://127.0.0.1:1", "secret", tmp_path).splitlines() if "obscure" in line]
    assert len(lines) == 3
    assert all(f"$('{own}' obscure secret)" in line and f"'{own}' " in line.split("--")[0] for line in lines)
    monkeypatch.setenv("PATH", str(usual.parent))
    assert "  rclone copy --webdav-url" in page("http://127.0.0.1:1", "secret", tmp_path)
