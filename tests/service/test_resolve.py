"""`davbridge resolve` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from davbridge.emulator import Emulator
from tests.service.test_serve import change, config, emulator, run

__all__ = ["config", "emulator"]

HOST = "https://contoso.sharepoint.com"
PERSON = "https://contoso-my.sharepoint.com/personal/alice_contoso_onmicrosoft_com/Documents"


@pytest.fixture(autouse=True)
def _files(emulator: Emulator) -> None:
    """The same folder in each drive."""
    for name in ("business", "personal", "documents", "archive", "design"):
        emulator.drive(name).put("/Plans/2026 & more/a.txt", b"a")


def by_person(data: dict) -> None:
    """A person's account, that has a OneDrive policy alone."""
    data["accounts"]["contoso"]["sign_in"] = "device_code"
    del data["accounts"]["contoso"]["client_secret"]
    del data["policies"]["me"]["user"]
    del data["policies"]["team"]


@pytest.mark.parametrize(
    ("url", "drive", "folder"),
    [
        (f"{HOST}/sites/team", "documents", "/"),
        (f"{HOST}/sites/team/Archive/Plans/2026%20%26%20more/a.txt?web=1", "archive", "/Plans/2026 & more"),
        (f"{HOST}/sites/team/design/Shared%20Documents/Plans", "design", "/Plans"),
        (f"{PERSON}/Plans", "business", "/Plans"),
    ],
)
def test_the_policy_can_be_pasted(config: Path, emulator: Emulator, url: str, drive: str, folder: str) -> None:
    """What is printed names the drive and the folder, and with the policy in the file `check` finds both."""
    told = json.loads(run("resolve", "--json", "--config", str(config), url).stdout)
    assert (told["ok"], told["drive"]["id"], told["folder"]["path"]) == (True, emulator.drive(drive).id, folder)
    assert told["folder"]["id"] == emulator.drive(drive).item(folder).id
    shown = run("resolve", "--config", str(config), url).stdout
    assert emulator.drive(drive).id in shown
    here = {"documents": ("team", "/team"), "business": ("me", "/me/Plans")}.get(drive)
    assert told["mounted"] == (here and dict(zip(("policy", "path"), here, strict=True)))
    assert (f"mounted   already, at {here[1]}, by the policy {here[0]}" in shown) if here else "mounted" not in shown
    pasted = yaml.safe_load(shown.partition("users:\n")[2])
    assert pasted == told["policy"]
    (name,) = pasted
    change(config, lambda data: data["policies"].update(pasted))
    done = run("check", "--config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith(f"ok   {name}:"))
    assert line.endswith(f"root {folder}")


def test_a_sharing_link(config: Path, emulator: Emulator) -> None:
    """A link gives site, library and folder, so that the policy outlives the link."""
    made = {"link": {"type": "view", "scope": "anonymous", "webUrl": f"{HOST}/:f:/s/team/Eabc"}}
    emulator.drive("archive").item("/Plans").permissions.append(made)
    told = json.loads(run("resolve", "--json", "--config", str(config), f"{HOST}/:f:/s/team/Eabc?e=1").stdout)
    (policy,) = told["policy"].values()
    assert (policy["site"], policy["library"], policy["root"]) == (f"{HOST}/sites/team", "Archive", "/Plans")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{HOST}/sites/none", "there is no site 'sites/none'"),
        (f"{HOST}/teams/closed", "a person must be a member of it"),
        (f"{HOST}/sites/team/Archive/None", "there is no /None in 'Archive'"),
        ("https://fabrikam.sharepoint.com", "belongs to another tenant"),
        ("https://contoso.sharepoint.cn/sites/team", "another Microsoft cloud"),
        ("https://example.com/foo", "example.com is no host of SharePoint or OneDrive"),
        (HOST, "the site 'Communication site' has no library that the account can see"),
        ("https://1drv.ms/f/s!A", "which only a person can sign in to"),
        ("team", "it should begin with https://"),
    ],
)
def test_a_wrong_address(config: Path, url: str, words: str) -> None:
    """Exit status 1 and the reason, for people and for programs."""
    done = run("resolve", "--config", str(config), url)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    told = run("resolve", "--json", "--config", str(config), url)
    assert told.returncode == 1
    assert words in json.loads(told.stdout)["message"]


def test_a_sign_in_without_sites(config: Path) -> None:
    """Not signed in, then signed in without Sites.Read.All, then with it: each is told, and what to do."""
    change(config, by_person)
    words = ("resolve", "--config", str(config), f"{HOST}/sites/team")
    assert "`davbridge login contoso`" in run(*words).stderr
    run("login", "--config", str(config))
    lacking = run(*words)
    assert lacking.returncode == 1
    assert "asks for Files.ReadWrite only" in lacking.stderr
    assert "`scopes: [Files.ReadWrite.All, Sites.Read.All]`" in lacking.stderr
    change(config, lambda data: data["accounts"]["contoso"].update(scopes=["Files.ReadWrite.All", "Sites.Read.All"]))
    run("login", "--config", str(config))
    done = run(*words)
    assert done.returncode == 0, done.stderr
    own = run("resolve", "--config", str(config), f"{PERSON}/Plans").stdout
    assert "driver: onedrive" in own
    assert "user:" not in own


def test_which_account(config: Path) -> None:
    """The one that the address fits, else the one that is named; a personal one has no SharePoint."""

    def another(data: dict) -> None:
        first = data["accounts"]["contoso"]
        data["accounts"]["mine"] = {key: first[key] for key in ("client_id", "cloud")}
        data["accounts"]["mine"] |= {"tenant": "consumers", "sign_in": "device_code"}

    change(config, another)
    done = run("resolve", "--config", str(config), f"{HOST}/sites/team")
    assert "account   contoso" in done.stdout
    refused = run("resolve", "--config", str(config), "--account", "mine", f"{HOST}/sites/team")
    assert "a personal one (tenant: consumers), which has no SharePoint" in refused.stderr
    assert run("resolve", "--config", str(config), "--account", "nobody", HOST).returncode == 78
    change(config, lambda data: data["accounts"].update(second=data["accounts"]["contoso"]))
    several = run("resolve", "--config", str(config), f"{HOST}/sites/team")
    assert "with --account: one of contoso, second" in several.stderr


def test_somebody_elses_personal_folder(config: Path, emulator: Emulator) -> None:
    """It is found, and how it can be mounted is told instead of a policy that could not work."""
    change(config, by_person)
    run("login", "--config", str(config))
    emulator.drive("personal").item("/Plans").permissions.append({"link": {"webUrl": "https://1drv.ms/f/s!Axyz"}})
    done = run("resolve", "--config", str(config), "https://1drv.ms/f/s!Axyz")
    assert done.returncode == 0, done.stderr
    assert "folder    /Plans" in done.stdout
    assert "Add shortcut to My files" in done.stdout
