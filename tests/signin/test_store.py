"""The token files: sealed, private, whole, converted, and never lost."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from davbridge.errors import ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens import TokenStore
from davbridge.tokens.record import Grant, Person, Record, Trouble
from davbridge.tokens.sealing import CREDENTIAL
from davbridge.tokens.store import Refreshing

KEY = "k" * 40
CACHE = json.dumps(
    {
        "AccessToken": {"a": {"secret": "planted-access"}},
        "RefreshToken": {"r": {"secret": "planted-refresh"}},
        "Account": {"x": {"username": "alice@example", "home_account_id": "1.2", "realm": "2"}},
    }
)
RECORD = Record(
    cache='{"RefreshToken": {"r": {"secret": "planted"}}}',
    grant=Grant("planted-too", "f", "Files.Read", 1.0, 3600.0),
    person=Person("alice@example", "1.2", "2"),
    trouble=Trouble("no", 2.0),
)


def put(store: TokenStore, record: Record = RECORD, *, keep: bool = False) -> None:
    """Write under the lock."""
    with store.locked("a", patience=1) as file:
        file.write(record, keep=keep)


def test_round_trip(tmp_path: Path) -> None:
    """What is read is what was written; the file is private and shows nothing."""
    store = TokenStore(tmp_path)
    put(store)
    assert TokenStore(tmp_path).peek("a") == RECORD
    file = tmp_path / "a.tokens"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    for word in (b"planted", b"alice", b"eyJ"):
        assert word not in file.read_bytes()
    assert "planted" not in repr(RECORD)


def test_the_former_plain_file_is_converted(tmp_path: Path) -> None:
    """An earlier version's sign-in goes on, its plain file goes away, and who it was is known."""
    (tmp_path / "a.json").write_text(CACHE)
    with TokenStore(tmp_path).locked("a", patience=1) as file:
        record = file.read()
    assert "planted-refresh" in record.cache
    assert "planted-access" not in record.cache
    assert record.person == Person("alice@example", "1.2", "2")
    assert not (tmp_path / "a.json").exists()
    assert TokenStore(tmp_path).peek("a") == record


def test_a_conversion_that_was_cut_off(tmp_path: Path) -> None:
    """Where both are there, the sealed one is newer."""
    put(TokenStore(tmp_path))
    (tmp_path / "a.json").write_text(CACHE)
    with TokenStore(tmp_path).locked("a", patience=1) as file:
        assert file.read() == RECORD
    assert not (tmp_path / "a.json").exists()


def test_the_key_comes_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential is taken unasked; no key lies beside the files then."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL).write_text(KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    folder = tmp_path / "tokens"
    put(TokenStore(folder))
    assert not (folder / "key").exists()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert TokenStore(folder, key=lambda: Secret(KEY)).peek("a") == RECORD


def test_a_new_key_takes_over(tmp_path: Path) -> None:
    """A key that is given later opens nothing old; the one beside still does, and the next refresh seals anew."""
    put(TokenStore(tmp_path))
    given = TokenStore(tmp_path, key=lambda: Secret(KEY))
    assert given.peek("a") == RECORD
    put(given)
    (tmp_path / "key").unlink()
    assert TokenStore(tmp_path, key=lambda: Secret(KEY)).peek("a") == RECORD


def test_a_key_that_comes_later(tmp_path: Path) -> None:
    """A service with a key of its own reads what a `login` without it has just stored."""
    service = TokenStore(tmp_path, key=lambda: Secret(KEY))
    put(service)
    login = TokenStore(tmp_path)
    with pytest.raises(NeedsSignIn):
        login.peek("a")
    put(login, keep=True)
    assert service.peek("a") == RECORD


def test_a_key_that_is_lost(tmp_path: Path) -> None:
    """A person is needed, and the file stays as it is: the key may come back."""
    put(TokenStore(tmp_path))
    before = (tmp_path / "a.tokens").read_bytes()
    (tmp_path / "key").unlink()
    with pytest.raises(NeedsSignIn, match="davbridge login a"):
        TokenStore(tmp_path).peek("a")
    assert (tmp_path / "a.tokens").read_bytes() == before


def test_another_accounts_file(tmp_path: Path) -> None:
    """A file under another account's name is not opened: it would give that one's mounts away."""
    put(TokenStore(tmp_path))
    (tmp_path / "a.tokens").rename(tmp_path / "b.tokens")
    with pytest.raises(NeedsSignIn, match="another key, or is damaged"):
        TokenStore(tmp_path).peek("b")


@pytest.mark.parametrize("name", ["a.tokens", "key"])
def test_t36_files_that_others_can_read(tmp_path: Path, name: str) -> None:
    """They are refused, with the command that closes them."""
    put(TokenStore(tmp_path))
    (tmp_path / name).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        TokenStore(tmp_path).peek("a")


@pytest.mark.parametrize("damage", [b"", b"x", b"davbridge tokens 1\n", b"davbridge tokens 1\n" + b"0" * 100])
def test_a_damaged_file(tmp_path: Path, damage: bytes) -> None:
    """It is no crash: a person signs in again, and the damaged file is kept beside."""
    store = TokenStore(tmp_path)
    put(store)
    (tmp_path / "a.tokens").write_bytes(damage)
    with pytest.raises(NeedsSignIn):
        store.peek("a")
    put(store, keep=True)
    assert (tmp_path / "a.previous").read_bytes() == damage
    assert store.peek("a") == RECORD


def test_short_keys_are_refused(tmp_path: Path) -> None:
    """A password that can be guessed is no key; the message says how to make one."""
    with pytest.raises(ConfigError, match="openssl rand"):
        put(TokenStore(tmp_path, key=lambda: Secret("short")))


def test_one_key_for_all(tmp_path: Path) -> None:
    """Processes that start at once make one key, whoever comes first."""
    stores = [TokenStore(tmp_path) for _ in range(8)]
    threads = [threading.Thread(target=put, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(TokenStore(tmp_path).peek("a") == RECORD for _ in stores)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lock", "a.tokens", "key"]


def test_the_lock_is_between_processes(tmp_path: Path) -> None:
    """Who comes second waits as long as it was told to, not for ever."""
    store = TokenStore(tmp_path)
    with (
        store.locked("a", patience=1),
        pytest.raises(Refreshing),
        TokenStore(tmp_path).locked("a", patience=0.05),
    ):
        pass
    with store.locked("a", patience=0), store.locked("b", patience=0):
        pass


def test_names_with_slashes(tmp_path: Path) -> None:
    """An account's name cannot lead out of the folder."""
    store = TokenStore(tmp_path / "tokens")
    with store.locked("../x", patience=1) as file:
        file.write(RECORD)
    assert store.peek("../x") == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """It is told with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=os.fspath(tmp_path)), TokenStore(tmp_path / "file").locked("a", patience=1):
        pass
