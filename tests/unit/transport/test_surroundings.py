"""What a connection of another's making takes from the environment: the same as `requests` would."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from davbridge.errors import BadUpstream
from davbridge.transport.surroundings import surroundings

URL = "https://notify.example"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own."""
    for name in ("https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """An authority that nobody else knows."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the usual variables, exceptions included; its password cannot be printed."""
    assert surroundings(URL, True).proxy is None
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cret@proxy.example:3128")
    proxy = surroundings(URL, True).proxy
    assert proxy is not None
    assert proxy.reveal() == "http://user:s3cret@proxy.example:3128"
    assert "s3cret" not in repr(surroundings(URL, True))
    monkeypatch.setenv("NO_PROXY", "notify.example")
    assert surroundings(URL, True).proxy is None


def test_trust(monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    """The account's CA file, else the environment's, else what requests brings; names and certificates are verified."""
    for found, number in ((surroundings(URL, str(ca_file)), 1), (surroundings(URL, True), 50)):
        assert found.context.check_hostname
        assert len(found.context.get_ca_certs()) >= number
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    assert len(surroundings(URL, True).context.get_ca_certs()) == 1
    assert surroundings(URL, str(ca_file.parent)).context.get_ca_certs() == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    """An error that names it."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadUpstream, match=r"ca\.pem"):
        surroundings(URL, str(path))
