"""Mistakes in the configuration: one sentence, with the line and what was probably meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests

from davbridge.config import load
from davbridge.config.base import SecretPlace
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
        ("tenant: contoso", "tenat: contoso", "accounts.contoso.tenat: the key is not known; did you mean 'tenant'?"),
        ("policies:", "polices:", "polices: the key is not known; did you mean 'policies'?"),
        ("    client_id:", "    # client_id:", "accounts.contoso.client_id: the key is missing"),
        ("account: contoso", "account: contosso", "there is no account 'contosso'; did you mean 'contoso'?"),
        ("access: {alice: write}", "access: {alise: write}", "there is no user 'alise'; did you mean 'alice'?"),
        (
            "access: {alice: write}",
            "access: {alice: all}",
            "policies.my-files.access.alice: must be 'read' or 'write'",
        ),
        ("access: {alice: write}", "access: alice", "my-files.access: must be a mapping, such as {alice: write}"),
        ("access: {alice: write}", "access:", "my-files.access: must be a mapping, such as {alice: write}"),
        ("root: /  ", "root: [1]", "policies.my-files.root: must be one text, such as /Projects"),
        ("tenant: contoso.onmicrosoft.com", "tenant: 5", "tenant: must be text, in quotes if it looks like a number"),
        ("listen: 127.0.0.1:8080", "listen: 8080", "server.listen: 8080 is no address: write host:port (127.0.0.1"),
        ("listen: 127.0.0.1:8080", "listen: [a:1, b]", "server.listen: 'b' is no address: write host:port"),
        ("listen: 127.0.0.1:8080", "listen: []", "server.listen: this is no address: write host:port"),
        ("  # tls: {certificate: cert.pem", "  tls: {certificate: cert.pem", "cert.pem cannot be read: No such file"),
        (
            "  # behind_proxy: {trusted: [127.0.0.1/32]",
            "  behind_proxy: {trusted: [all]",
            "server.behind_proxy.trusted.0: must be a network such as 127.0.0.1/32",
        ),
        (
            "sign_in: device_code",
            "sign_in: device-code",
            "sign_in: must be device_code, browser, client_secret, certificate, managed_identity or workload_identity",
        ),
        (
            "    # cloud: global",
            "    cloud: globl",
            "contoso.cloud: must be global, us_gov, us_gov_dod, china, or {graph",
        ),
        ("    # cloud: global", "    cloud: {graph: 'https://a'} #", "contoso.cloud.login: the key is missing"),
        ("  bob: {password: ", "  bob: change-me #", "users.bob: must be a mapping, such as {password: HASH}"),
        ("  my-files:", "\tmy-files:", ":{line}: this is not valid YAML: tabs cannot indent, only spaces can"),
        ("access: {alice: write}", "access: {alice: write", "the {{ of line {line} may not be closed"),
        ("mount: /team", "mount: /me/team", "overlap"),
        ("mount: /team", "mount: team", "must be a path such as /me"),
        ("mount: /team", "mount: /", "must be a path such as /me"),
        ("sign_in: device_code", "sign_in: managed_identity", "takes no tenant"),
        ("sign_in: device_code", "sign_in: certificate", "sign_in: certificate needs certificate"),
        (
            "sign_in: device_code",
            "sign_in: device_code\n    certificate: {file: x.pem}",
            "sign_in: device_code takes no certificate",
        ),
        ("sign_in: device_code", "sign_in: workload_identity", "needs federated_token_file"),
        ("sign_in: device_code", "sign_in: device_code\n    secret_expires: 2026-01-01", "belongs to client_secret"),
        ("sign_in: device_code", "sign_in: device_code\n    scopes: [all of them]", "is no permission of Graph"),
        (
            "tenant: contoso.onmicrosoft.com",
            "tenant: consumers",
            "a personal account (tenant: consumers) has no SharePoint",
        ),
        (
            "tenant: contoso.onmicrosoft.com",
            "tenant: consumers\n    cloud: china",
            "personal accounts exist in the global cloud only",
        ),
        (
            "sign_in: device_code",
            "sign_in: certificate\n    certificate: {file: x.pem, thumbprint: abc}",
            "is the certificate's SHA-1 in hex, 40 digits",
        ),
        ("sign_in: device_code", "sign_in: client_secret", "needs client_secret"),
        ("driver: sharepoint", "driver: onedrive", "takes no site"),
        ("driver: onedrive", "driver: dropbox", "must be 'onedrive' or 'sharepoint'"),
        ("    site: https", "    # site: https", "needs site (any URL of it) or drive_id"),
        ("server:", "server:\n  workers: 0", "server.workers: input should be greater than or equal to 1"),
        ("server:", "server:\n  workers: 33", "server.workers: input should be less than or equal to 32"),
        ("server:", "server:\n  metrics: here", "'here' is no address: write host:port"),
        ("bob: {password", "bob: {pasword", "did you mean 'password'?"),
        ("  bob: {password: ", "  bob: {password: plain} #", "is not an argon2id hash"),
        ("my-files:", "team:", "the key 'team' is there twice"),
        (
            "users:",
            "users: [",
            "this is not valid YAML: expected ',' or ']', but got '<scalar>'; the [ of line {line} may not",
        ),
        ("mount: /team", "mount: /..", "policies.team.mount: may not contain . or .."),
        ("server:", "server:\n  behind_proxy: {trusted: ['::1/128'], public_url: 'http://['}", "invalid IPv6 URL"),
        ("server:", "server:\n  behind_proxy: {trusted: ['::1/128'], public_url: dav.example}", "must be a URL"),
        ("    site: https://", "    site: https://[", "policies.team.site: invalid IPv6 URL"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each is told with its file and line; `{line}` stands for that of the change."""
    assert old in GOOD
    if "{line}" in message:
        message = message.format(line=GOOD[: GOOD.index(old)].count("\n") + 1)
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")
    assert len(str(error.value).splitlines()) == 1


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
    with pytest.raises(ConfigError, match="must be keys with values"):
        load(write(tmp_path, "- a"))
    with pytest.raises(ConfigError, match="quote it: month must be"):
        load(write(tmp_path, "a: 2026-99-99"))
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot be read: No such file"), ("x", "has no certificate in PEM")]
)
def test_the_ca_file_of_a_cloud(tmp_path: Path, text: str | None, message: str) -> None:
    """A file that is missing or of another kind is told with its line, by each command and before anything is sent."""
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    cloud = "\n    cloud: {graph: https://g.example, login: https://l.example, ca_file: ca.pem}"
    with pytest.raises(ConfigError, match=rf"config.yaml:\d+: accounts.contoso.cloud.ca_file: \S+ca.pem {message}"):
        load(write(tmp_path, GOOD.replace("sign_in: device_code", f"sign_in: device_code{cloud}", 1)))


def test_certificate(tmp_path: Path) -> None:
    """A certificate and a key that do not fit each other are told with their line."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no PEM file")
    with pytest.raises(ConfigError, match=r"config.yaml:5: server.tls: \S+cert.pem and \S+key.pem cannot be used: one"):
        load(write(tmp_path, GOOD.replace("  # tls:", "  tls:", 1)))


def test_every_key_is_documented() -> None:
    """docs/configuration.md names all keys of all models."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    models = [Config.model_fields[name].annotation for name in ("server", "state")]
    from davbridge.config.account import Account
    from davbridge.config.model import Policy

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
    shutil.copy(requests.certs.where(), tmp_path / "ca.pem")
    cloud = "cloud: {graph: https://g.example, login: https://l.example, ca_file: ca.pem}"
    account = f"sign_in: client_secret\n    client_secret: {{file: secret}}\n    {cloud}"
    config = load(write(tmp_path, GOOD.replace("sign_in: device_code", account, 1)))
    secret = config.accounts["contoso"].client_secret
    assert secret is not None
    assert secret.read().reveal() == "hush"
    assert config.accounts["contoso"].where.ca_file == tmp_path / "ca.pem"


def test_a_mount_at_nextclouds_place(tmp_path: Path) -> None:
    """It may be there as long as uploads in chunks are off; their room is a size."""
    text = GOOD.replace("mount: /team", "mount: /Remote.php/x")
    assert load(write(tmp_path, text)).server.nextcloud_chunks is None
    with pytest.raises(ConfigError, match=r"/remote\.php is the bridge's own with server\.nextcloud_chunks"):
        load(write(tmp_path, text.replace("server:", "server:\n  nextcloud_chunks: 20G", 1)))
    config = load(write(tmp_path, GOOD.replace("server:", "server:\n  nextcloud_chunks: 20G", 1)))
    assert config.server.nextcloud_chunks == 20 * 2**30


def test_a_credential_outside_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs a command by hand is told where the credential is, and not that a file is missing."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ValueError, match="only in a systemd service with LoadCredential=contoso-secret:FILE"):
        SecretPlace(credential="contoso-secret").read()
