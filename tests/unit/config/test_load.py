"""Mistakes in the configuration: one sentence, with the line and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from davbridge.config import load
from davbridge.config.model import Config
from davbridge.errors import ConfigError

ROOT = Path(__file__).parents[3]
GOOD = (ROOT / "config.example.yaml").read_text()


def write(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_the_example(tmp_path: Path) -> None:
    """It is what the documentation promises."""
    config = load(write(tmp_path, GOOD))
    assert config.server.listen == ["127.0.0.1:8080"]
    assert config.policies["team"].access == {"alice": "write", "bob": "read"}
    assert config.accounts["contoso"].where.graph_base == "https://graph.microsoft.com/v1.0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mount: /me", "mont: /me", "policies.my-files.mont: the key is not known; did you mean 'mount'?"),
        ("server:", "servers:", "servers: the key is not known; did you mean 'server'?"),
        ("tenant: contoso", "tenat: contoso", "accounts.contoso.tenant: the key is missing"),
        ("account: contoso", "account: contosso", "there is no account 'contosso'; did you mean 'contoso'?"),
        ("access: {alice: write}", "access: {alise: write}", "there is no user 'alise'; did you mean 'alice'?"),
        (
            "access: {alice: write}",
            "access: {alice: all}",
            "policies.my-files.access.alice: input should be 'read' or 'write'",
        ),
        ("mount: /team", "mount: /me/team", "overlap"),
        ("mount: /team", "mount: team", "must be a path such as /me"),
        ("mount: /team", "mount: /", "must be a path such as /me"),
        ("sign_in: device_code", "sign_in: browser", "browser is not available yet; use device_code or client_secret"),
        ("sign_in: device_code", "sign_in: client_secret", "needs client_secret"),
        ("driver: sharepoint", "driver: onedrive", "takes no site"),
        ("driver: onedrive", "driver: dropbox", "input should be 'onedrive' or 'sharepoint'"),
        ("    site: https", "    # site: https", "needs site (any URL of it) or drive_id"),
        ("server:", "server:\n  workers: 4", "more than one worker is not available yet"),
        ("server:", "server:\n  metrics: 127.0.0.1:9", "is not available yet; leave it out"),
        ("bob: {password", "bob: {pasword", "did you mean 'password'?"),
        ("  bob: {password: ", "  bob: {password: plain} #", "is not an argon2id hash"),
        ("my-files:", "team:", "the key 'team' is there twice"),
        ("users:", "users: [", "config.yaml:"),
        ("mount: /team", "mount: /..", "policies.team.mount: may not contain . or .."),
        ("server:", "server:\n  behind_proxy: {trusted: ['::1/128'], public_url: 'http://['}", "invalid IPv6 URL"),
        ("server:", "server:\n  behind_proxy: {trusted: ['::1/128'], public_url: dav.example}", "must be a URL"),
        ("    site: https://", "    site: https://[", "policies.team.site: invalid IPv6 URL"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each is told with its file and line."""
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")


def test_the_line_is_right(tmp_path: Path) -> None:
    """It is that of the key."""
    text = GOOD.replace("mount: /me", "mont: /me", 1)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "mont:" in one)
    with pytest.raises(ConfigError, match=f":{line}: policies.my-files.mont"):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("abc", "takes no secret itself"),
        ("{file: /nowhere/secret}", "/nowhere/secret cannot be read"),
        ("{env: DAVBRIDGE_NO_SUCH}", "DAVBRIDGE_NO_SUCH is empty or not set"),
        ("{file: a, env: b}", "exactly one of"),
    ],
)
def test_secrets(tmp_path: Path, secret: str, message: str) -> None:
    """A secret is somewhere else, and it is there."""
    text = GOOD.replace("sign_in: device_code", f"sign_in: client_secret\n    client_secret: {secret}", 1)
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, text))


def test_no_file(tmp_path: Path) -> None:
    """A missing, an empty and a binary file."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is empty"):
        load(write(tmp_path, ""))
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "config.yaml")


def test_every_key_is_documented() -> None:
    """docs/configuration.md names all keys of all models."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    models = [Config.model_fields[name].annotation for name in ("server", "state")]
    from davbridge.config.model import Account, Policy

    for model in (*models, Account, Policy):
        assert model is not None
        for key in model.model_fields:
            assert f"| `{key}` |" in page, key


@pytest.mark.parametrize(
    "text",
    ["? [a]\n: b\n", "a: &x [*x]\n", "accounts: 2024-13-45\n", "- a\n", "", "just words\n", "a: !!python/name:os.x y"],
)
def test_no_configuration_at_all(tmp_path: Path, text: str) -> None:
    """What is YAML, or nearly, and no configuration is told in a sentence, too."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:")


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are relative to the file's folder, and not to where the program happens to run."""
    monkeypatch.chdir("/")
    (tmp_path / "secret").write_text("hush")
    cloud = "cloud: {graph: https://g.example, login: https://l.example, ca_file: ca.pem}"
    account = f"sign_in: client_secret\n    client_secret: {{file: secret}}\n    {cloud}"
    config = load(write(tmp_path, GOOD.replace("sign_in: device_code", account, 1)))
    secret = config.accounts["contoso"].client_secret
    assert secret is not None
    assert secret.read().reveal() == "hush"
    assert config.accounts["contoso"].where.ca_file == tmp_path / "ca.pem"
