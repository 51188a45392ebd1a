"""`davbridge serve` and `check` as processes: start, answer, stop, and what they say when they cannot."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from davbridge.cli import cli
from davbridge.emulator import Emulator
from tests.support import leaks
from tests.support.clock import HastyClock
from tests.support.ports import free_port
from tests.support.serving import serving
from tests.support.world import configuration

Change = Callable[[dict], None]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        yield running


@pytest.fixture
def config(emulator: Emulator, tmp_path: Path) -> Path:
    """A configuration file on a free port."""
    model = configuration(emulator, tmp_path)
    data = json.loads(model.model_dump_json(exclude_defaults=True))
    data["server"] = {"listen": f"127.0.0.1:{free_port()}"}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def change(path: Path, act: Change) -> Path:
    """The file with a change."""
    data = yaml.safe_load(path.read_text())
    act(data)
    path.write_text(yaml.safe_dump(data))
    return path


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A davbridge command."""
    command = [sys.executable, "-m", "davbridge", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    leaks.look(done.stdout + done.stderr, f"davbridge {words[0]}")
    return done


def test_serve_and_stop(config: Path) -> None:
    """It answers, and SIGTERM ends it with status 0."""
    with serving(config) as running:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://{running.address}/", method="OPTIONS"), timeout=10
        ) as answer:
            assert answer.headers["DAV"].startswith("1, 2")
        assert running.end() == 0
    assert "Traceback" not in running.log
    assert "serving on 127.0.0.1" in running.log


def test_check(config: Path) -> None:
    """One line for each policy, or JSON."""
    done = run("check", "--config", str(config))
    assert done.returncode == 0, done.stderr
    assert "ok   me: business drive 'OneDrive' of alice, root /" in done.stdout
    told = json.loads(run("check", "--json", "--config", str(config)).stdout)
    assert told["ok"] is True
    assert [one["policy"] for one in told["policies"]] == ["me", "team"]


def wrong_secret(data: dict) -> None:
    """Another secret than the registration's."""
    Path(data["accounts"]["contoso"]["client_secret"]["file"]).write_text("wrong")


def wrong_site(data: dict) -> None:
    """A site that is not there."""
    data["policies"]["team"]["site"] = "https://contoso.sharepoint.com/sites/nowhere"


def wrong_library(data: dict) -> None:
    """A library that is not there."""
    data["policies"]["team"]["library"] = "Dokuments"


def wrong_tenant(data: dict) -> None:
    """A tenant that is not there."""
    data["accounts"]["contoso"]["tenant"] = "nowhere.onmicrosoft.com"


def wrong_client(data: dict) -> None:
    """An application that is not there."""
    data["accounts"]["contoso"]["client_id"] = "none"


def wrong_key(data: dict) -> None:
    """A key with a mistake."""
    data["server"]["lisen"] = data["server"].pop("listen")


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (wrong_secret, "the client secret is wrong"),
        (wrong_tenant, "account 'contoso': there is no tenant nowhere.onmicrosoft.com"),
        (wrong_client, "has no app with the client_id"),
        (wrong_site, "nowhere"),
        (wrong_library, "Documents"),
        (wrong_key, "did you mean 'listen'?"),
    ],
)
def test_mistakes(config: Path, command: str, mistake: Change, message: str) -> None:
    """One clear sentence, exit status 78, never a traceback."""
    done = run(command, "--config", str(change(config, mistake)))
    said = done.stdout + done.stderr
    assert done.returncode == 78, said
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize("end", ["graph", "login"])
def test_no_network(config: Path, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Microsoft host out of reach is named, for every policy, and is no mistake of the configuration.

    Graph is asked again and again for many seconds; they need not be real ones.
    """
    host = f"127.0.0.1:{free_port()}"

    def unreachable(data: dict) -> None:
        data["accounts"]["contoso"]["cloud"][end] = f"https://{host}"
        data["policies"]["me"].pop("user")

    monkeypatch.setattr("davbridge.cli.check.SystemClock", HastyClock)
    done = CliRunner().invoke(cli, ["check", "--config", str(change(config, unreachable))])
    leaks.look(done.output, "davbridge check")
    assert done.exit_code == 1, done.output
    assert done.stdout.count(f"{host} cannot be reached") == 2
    if end == "login":
        login = run("login", "--config", str(config))
        assert login.returncode == 1
        assert f"account 'contoso': the sign-in service {host} cannot be reached" in login.stderr


def test_a_port_in_use(config: Path) -> None:
    """Named, with what to do."""
    host, _, port = yaml.safe_load(config.read_text())["server"]["listen"].rpartition(":")
    with socket.create_server((host, int(port))):
        done = run("serve", "--config", str(config))
    assert done.returncode in (1, 78)
    assert f"127.0.0.1:{port} is in use by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_of_the_demo_in_use() -> None:
    """The demo speaks of its option, since it has no configuration file."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("demo", "--port", str(port))
    assert done.returncode == 78
    assert f"port {port} is in use: name another one with --port" in done.stderr


def test_no_configuration(tmp_path: Path) -> None:
    """It says where it looked."""
    done = run("serve", "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert "cannot be read" in done.stderr


def test_hash_password() -> None:
    """From a pipe; an empty one is refused."""
    done = run("hash-password", stdin="secret\n")
    assert done.stdout.startswith("$argon2id$")
    assert run("hash-password", stdin="\n").returncode == 78


def test_login_by_device_code(config: Path, emulator: Emulator) -> None:
    """The code is shown, the sign-in is kept with mode 0600, and the mount works with it."""

    def by_person(data: dict) -> None:
        account = data["accounts"]["contoso"]
        account["sign_in"] = "device_code"
        data["policies"]["me"].pop("user", None)
        del account["client_secret"]

    change(config, by_person)
    before = run("check", "--config", str(config))
    assert before.returncode == 1
    assert before.stdout.count("run `davbridge login contoso`") == 2
    done = run("login", "--config", str(config))
    assert done.returncode == 0, done.stderr
    assert "enter the code" in done.stdout
    assert f"contoso: signed in as {emulator.user}" in done.stdout
    tokens = config.parent / "state" / "tokens" / "contoso.tokens"
    assert tokens.stat().st_mode & 0o777 == 0o600
    assert run("check", "--config", str(config)).returncode == 0
