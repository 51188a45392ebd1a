"""The file that `init` writes, and that it is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.accounts import token_store
from davbridge.auth import hash_password
from davbridge.cli.init import draft as drafts
from davbridge.cli.init.account import AccountAnswers
from davbridge.cli.init.draft import Draft, check_place, keep
from davbridge.cli.init.farewell import farewell
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.errors import ConfigError
from davbridge.tokens import TokenStore
from davbridge.tokens.record import Record

HASH = hash_password("x")


@pytest.fixture
def draft() -> Draft:
    """All answers, one of them a secret."""
    data = {
        "tenant": "contoso.onmicrosoft.com",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "sign_in": "client_secret",
        "client_secret": {"file": "work-secret"},
        "cloud": {"graph": "https://graph.example.com", "login": "https://login.example.com"},
    }
    policy = {"mount": "/me", "account": "work", "driver": "onedrive", "user": "a@b", "access": {"no": "write"}}
    account = AccountAnswers("work", data, {"work-secret": "s3cret"})
    return Draft(account, {"me": policy}, {"no": {"password": HASH}}, "[::1]:8080")


@pytest.fixture
def staged(draft: Draft, tmp_path: Path) -> Path:
    """They are written into a private folder, where somebody has signed in."""
    folder = tmp_path / "private"
    folder.mkdir()
    path = draft.write_to(folder)
    with token_store(load(path), folder / "state", SystemClock()).locked("work", patience=1) as file:
        file.write(Record(signed_in=2.0))
    return path


def signed_in(folder: Path) -> float:
    """When, by the sign-in that is kept there."""
    return TokenStore(folder / "state" / "tokens").peek("work").signed_in


def test_the_file_says_what_was_answered(draft: Draft, staged: Path) -> None:
    """It loads, with every value, also those that YAML would take for something else; the secret is beside it."""
    config = load(staged)
    assert config.server.listen == ["[::1]:8080"]
    assert config.policies["me"].access == {"no": "write"}
    assert set(config.users) == {"no"}
    assert "s3cret" not in staged.read_text()
    assert (staged.parent / "work-secret").read_text() == "s3cret\n"
    for name in ("config.yaml", "work-secret"):
        assert (staged.parent / name).stat().st_mode & 0o777 == 0o600


def test_a_commented_line_can_be_taken_in(staged: Path) -> None:
    """The hash before `behind_proxy` taken away, the file still loads."""
    staged.write_text(staged.read_text().replace("# behind_proxy", "behind_proxy"))
    assert load(staged).server.behind_proxy is not None


@pytest.mark.parametrize("there", ["nothing", "the folder", "a former sign-in"])
def test_whole_or_not_at_all(
    draft: Draft, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """When the last file cannot be written everything is as it was; then it can, and everything is there."""
    place = tmp_path / "a" / "b"
    if there != "nothing":
        place.mkdir(parents=True)
    if there == "a former sign-in":
        with TokenStore(place / "state" / "tokens").locked("work", patience=1) as file:
            file.write(Record(signed_in=1.0))
    real = drafts.write_atomically

    def full(path: Path, data: bytes, *, mode: int) -> None:
        if path.name == "config.yaml":
            raise OSError(28, "No space left on device")
        real(path, data, mode=mode)

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "write_atomically", full)
        with pytest.raises(ConfigError, match="No space left"):
            keep(draft, staged, place, SystemClock(), replace=False)
    assert (tmp_path / "a").exists() == (there != "nothing")
    if there == "the folder":
        assert list(place.iterdir()) == []
    if there == "a former sign-in":
        assert [one.name for one in place.iterdir()] == ["state"]
        assert signed_in(place) == 1.0
    assert keep(draft, staged, place, SystemClock(), replace=False) == place / "config.yaml"
    assert {one.name for one in place.iterdir()} == {"config.yaml", "work-secret", "state"}
    assert signed_in(place) == 2.0
    assert load(place / "config.yaml").users
    with pytest.raises(ConfigError, match="has come into being meanwhile"):
        keep(draft, staged, place, SystemClock(), replace=False)


def test_places(tmp_path: Path) -> None:
    """A folder that could be made is good; what lies below a file is not."""
    check_place(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot be written to"):
            check_place(place)


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:80", "http://127.0.0.1:80"), ("0.0.0.0:8080", "http://127.0.0.1:8080"), ("[::]:1", "http://[::1]:1")],
)
def test_farewell(draft: Draft, listen: str, address: str) -> None:
    """Lines with the address of this machine; a typed password is in none of them, a made one in two."""
    told = farewell(Path("/x/config.yaml"), listen, draft.policies, "alice", "")
    assert "serve --config /x/config.yaml" in told
    assert f"--webdav-url {address}/me " in told
    assert "obscure PASSWORD" in told
    made = farewell(Path("/x/config.yaml"), listen, draft.policies, "alice", "made1234")
    assert made.count("made1234") == 2
    assert "mount" not in farewell(Path("/x/config.yaml"), "unix:/run/dav.sock", draft.policies, "alice", "")
