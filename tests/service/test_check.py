"""What `davbridge check` finds out, and what it says to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from davbridge.cli.writing import LeftBehind, write_probe
from davbridge.clock import SystemClock
from davbridge.config import load
from davbridge.config.exposed import exposed
from davbridge.drivers.memory import MemoryDriver
from davbridge.emulator import Emulator
from davbridge.emulator.faults import LoseAnswer, Status
from davbridge.errors import BadUpstream, Forbidden, UnknownOutcome
from davbridge.paths import DavPath
from davbridge.service import warn
from tests.service.test_serve import change, config, run
from tests.support.clock import HastyClock
from tests.support.ports import free_port

__all__ = ["config"]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for the file."""
    with Emulator.start() as running:
        yield running


@pytest.fixture(autouse=True)
def empty(emulator: Emulator) -> None:
    """Nothing is in the drives, and nothing has been asked."""
    emulator.reset()


def files(emulator: Emulator) -> set[str]:
    """The names in both roots."""
    return set(emulator.drive("business").tree()) | set(emulator.drive("documents").tree())


def test_writing(config: Path, emulator: Emulator) -> None:
    """Each policy that may be written to is written to, the file is named, and nothing is left behind."""
    change(config, lambda data: data["policies"]["me"]["access"].update(alice="read"))
    done = run("check", "--write", "--config", str(config))
    assert done.returncode == 0, done.stdout
    assert "ok   team: davbridge-check-" in done.stdout
    assert "ok   me: davbridge-check-" not in done.stdout
    assert [call.operation for call in emulator.calls.list()].count("put content") == 1
    assert files(emulator) == set()
    emulator.calls.clear()
    assert run("check", "--config", str(config)).returncode == 0
    assert "put content" not in [call.operation for call in emulator.calls.list()]


@pytest.mark.parametrize("command", ["check", "status"])
def test_names_steer_no_terminal(
    config: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """What somebody at Microsoft has put into a name is shown with a mark in its place."""
    monkeypatch.setattr(emulator.drive("business").drive, "owner", "al\x1b[2Jice\u202e@contoso.onmicrosoft.com")
    done = run(command, "--config", str(config))
    assert "OneDrive' of al\ufffd[2Jice\ufffd, root /" in done.stdout


def test_who_may_not_write(config: Path, emulator: Emulator) -> None:
    """The drive is found and cannot be written to: exit status 1, with what to do, also for programs."""
    emulator.faults.add("put content", Status(403, code="accessDenied"), times=2)
    done = run("check", "--write", "--json", "--config", str(config))
    assert done.returncode == 1, done.stdout
    told = json.loads(done.stdout)["policies"]
    assert [one["ok"] for one in told] == [False, False]
    assert "cannot be written to" in told[0]["message"]
    assert "may edit" in told[0]["remedy"]
    assert files(emulator) == set()


def test_an_answer_that_is_lost(config: Path, emulator: Emulator) -> None:
    """The file was made though nobody said so: it goes all the same."""
    emulator.faults.add("put content", LoseAnswer(), times=1)
    run("check", "--write", "--config", str(config))
    assert files(emulator) == set()


class Stubborn(MemoryDriver):
    """`put` makes the file and raises `after`; `delete` fails `failures` times."""

    after: Exception | None = None
    failures = 0

    def put(self, path: DavPath, body: object, **more: object) -> object:  # type: ignore[override]
        written = super().put(path, body, **more)  # type: ignore[arg-type]
        if self.after is not None:
            raise self.after
        return written

    def delete(self, path: DavPath, **more: object) -> None:  # type: ignore[override]
        self.failures -= 1
        if self.failures >= 0:
            raise BadUpstream("not now")
        super().delete(path)


def names(driver: MemoryDriver) -> list[str]:
    """What is in the root."""
    return [item.name for item in driver.children(DavPath(()))[1]]


@pytest.mark.parametrize("after", [None, UnknownOutcome("?"), KeyboardInterrupt()])
def test_nothing_is_left_behind(after: Exception | None) -> None:
    """However the writing ends, and though removing it fails at first."""
    driver = Stubborn(HastyClock())
    driver.after, driver.failures = after, 2
    if after is None:
        assert write_probe(driver, HastyClock()).startswith("davbridge-check-")
    else:
        with pytest.raises(type(after)):
            write_probe(driver, HastyClock())
    assert names(driver) == []


def test_what_is_left_behind_is_named() -> None:
    """A file that cannot be removed is told with its name; one that was refused is not looked for."""
    driver = Stubborn(HastyClock())
    driver.failures = 3
    with pytest.raises(LeftBehind) as raised:
        write_probe(driver, HastyClock())
    assert names(driver)[0] in str(raised.value)

    class Refusing(Stubborn):
        def put(self, path: DavPath, body: object, **more: object) -> object:  # type: ignore[override]
            raise Forbidden("no")

    refusing = Refusing(SystemClock())
    refusing.failures = 5
    with pytest.raises(Forbidden):
        write_probe(refusing, SystemClock())
    assert refusing.failures == 5


def test_hosts(config: Path, emulator: Emulator, tmp_path: Path) -> None:
    """A name that is not found, a port that nobody answers at, a certificate that nobody trusts: each with a remedy."""

    def ladder(data: dict) -> None:
        cloud = data["accounts"]["contoso"]["cloud"]
        data["accounts"]["name"] = {**data["accounts"]["contoso"], "cloud": {**cloud, "graph": "https://none.invalid"}}
        silent = {**cloud, "graph": f"https://127.0.0.1:{free_port()}"}
        data["accounts"]["port"] = {**data["accounts"]["contoso"], "cloud": silent}

    done = run("check", "--json", "--config", str(change(config, ladder)))
    assert done.returncode == 1
    told = {one["host"]: one for one in json.loads(done.stdout)["hosts"]}
    good = [one for one in told.values() if one["ok"]]
    assert {one["message"] for one in good} == {"found, and its certificate is trusted"}
    assert told["none.invalid"]["message"] == "its name is not found"
    assert all(one["remedy"] for one in told.values() if not one["ok"])
    assert len(told) == len(good) + 2
    foreign = tmp_path / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(str(foreign))

    def untrusted(data: dict) -> None:
        for account in data["accounts"].values():
            account["cloud"]["ca_file"] = str(foreign)

    done = run("check", "--config", str(change(config, untrusted)))
    assert "its certificate is not trusted" in done.stdout
    assert "REQUESTS_CA_BUNDLE" in done.stdout


def test_our_certificate(config: Path, tmp_path: Path) -> None:
    """Its names and its end; one that ends soon is a warning with what to do."""
    import datetime

    authority = trustme.CA()
    for days, mark in ((90, "ok  "), (10, "WARN")):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        made = authority.issue_cert("dav.example.com", not_after=ends)
        made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
        file = str(tmp_path / "cert.pem")
        change(config, lambda data, file=file: data["server"].update(tls={"certificate": file, "key": file}))
        done = run("check", "--config", str(config))
        assert done.returncode == 0, done.stdout
        line = next(line for line in done.stdout.splitlines() if "dav.example.com" in line)
        assert line.startswith(f"{mark} certificate {file}: for dav.example.com, good until {ends:%Y-%m-%d}")
        assert ("davbridge reload" in line) == (mark == "WARN")


def test_a_secret_that_everybody_can_read(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning with what to type, here and at the start; a closed file, or a closed folder, is none."""
    folder = config.parent / "open"
    folder.mkdir()
    secret = folder / "secret"

    def move(data: dict) -> None:
        account = data["accounts"]["contoso"]
        secret.write_text(Path(account["client_secret"]["file"]).read_text())
        account["client_secret"] = {"file": str(secret)}

    change(config, move)
    loaded = load(config)
    for folder_mode, mode, told in ((0o755, 0o644, True), (0o755, 0o640, False), (0o700, 0o644, False)):
        folder.chmod(folder_mode)
        secret.chmod(mode)
        assert bool(exposed(loaded)) == told
    folder.chmod(0o755)
    done = run("check", "--config", str(config))
    assert f"WARN {secret} holds the client secret of account contoso" in done.stdout
    assert f"`chmod o= {secret}`" in done.stdout
    warn(loaded)
    assert f"`chmod o= {secret}`" in caplog.text
    assert done.returncode == 0


def test_a_new_secret_is_tried(config: Path, emulator: Emulator) -> None:
    """A token that was got with the former one hides no mistake in it, and a good one is taken."""
    assert run("check", "--config", str(config)).returncode == 0
    file = Path(load(config).accounts["contoso"].client_secret.file)  # type: ignore[union-attr, arg-type]
    good = file.read_text()
    file.write_text("wrong")
    done = run("check", "--config", str(config))
    assert done.returncode == 78
    assert done.stdout.count("the client secret is wrong") == 2, "once for each policy"
    file.write_text(good)
    assert run("check", "--config", str(config)).returncode == 0


def test_one_mistake_of_an_account(config: Path) -> None:
    """It fails each of its policies, which all end alike and name the same remedy."""

    def certificate(data: dict) -> None:
        (account,) = data["accounts"].values()
        account.pop("client_secret", None)
        account.update(sign_in="certificate", certificate={"file": str(config.parent / "missing.pem")})

    change(config, certificate)
    (config.parent / "missing.pem").write_text(trustme.CA().private_key_pem.bytes().decode())
    done = run("check", "--json", "--config", str(config))
    told = json.loads(done.stdout)["policies"]
    assert done.returncode == 78, done.stdout
    assert [(one["status"], one["remedy"]) for one in told] == [(78, told[0]["remedy"])] * 2
    assert "change it in the configuration" in told[0]["remedy"]
