"""What the mission's source promises, one test a row: its docstring quotes the statement or the question.

Each fails when its feature is taken away. `resolve`, reload and the status page have tests of their own beside these
(`tests/service`, `tests/page`, `tests/browser`). Two rows end in tests of `tests/signin`, which are imported and so run
with these: the keep-alive of "not been running long", and `kill -9` of "all authorizations suddenly invalid".
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
import requests

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Aadsts, Status
from tests.mission.conftest import Person
from tests.signin.test_keeping import place, test_90_days_of_silence
from tests.signin.test_killing import test_200_kills
from tests.support.dav import Dav
from tests.support.serving import serving
from tests.support.world import USERS, eventually

__all__ = ["place", "test_90_days_of_silence", "test_200_kills"]


def test_store_in_onedrive_or_team_sharepoint(alice: Person) -> None:
    """ "Store in OneDrive or team SharePoint": each lists its drive; the log names account, type, drive and root."""
    alice.emulator.drive("business").put("/mine.txt", b"x")
    alice.emulator.drive("documents").put("/ours.txt", b"x")
    with serving(alice.file) as running:
        assert "policy me: business drive 'OneDrive' of alice, root /; account contoso" in running.log
        assert "policy team: documentLibrary drive 'Documents'" in running.log
        for mount, name in (("me", "mine.txt"), ("team", "ours.txt")):
            dav = running.dav(mount)
            hrefs = [one.href for one in dav.propfind("", depth=1, check=207).resources]
            assert hrefs == [f"/{mount}/", f"/{mount}/{name}"]
            dav.close()


def test_not_been_running_long(alice: Person) -> None:
    """ "Not been running long → authorization expires": days later the first request refreshes by itself."""
    alice.emulator.clock.advance(60 * 86400)
    with alice.bridge() as (dav, _), alice.emulator.calls.counting() as calls:
        dav.propfind("", depth=1, check=207)
    assert [call.status for call in calls.calls if call.operation == "token"] == [200]


def test_not_been_running_for_too_long(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """… and after 90 days each request is told what to do, as are the log and `status`."""
    alice.emulator.clock.advance(100 * 86400)
    alice.emulator.world.refresh_tokens.clear()
    alice.end_tokens()
    with alice.bridge() as (dav, _):
        for answer in (dav.propfind("", depth=1), dav.get("a.txt"), dav.put("a.txt", b"x"), dav.mkcol("d")):
            assert answer.status == 503
            assert int(answer.header("Retry-After")) > 0
            assert "`davbridge login contoso`" in answer.text
            assert "was not used for 90 days" in answer.text
    assert len([one for one in caplog.records if "AADSTS700082" in one.getMessage()]) == 1
    assert alice.status()["accounts"]["contoso"]["state"] == "needs sign-in"


@pytest.mark.parametrize(
    ("code", "words"),
    [(50173, "revoked"), (65001, "nobody has agreed to the app's permissions"), (50076, "a second factor")],
)
def test_important_account_or_tenant_configuration_changed(alice: Person, code: int, words: str) -> None:
    """ "Important account or tenant configuration changed": the reason is told, to clients and by `status`."""
    alice.end_tokens()
    alice.emulator.faults.add("token", Aadsts(code), times=99)
    with alice.bridge() as (dav, _):
        answer = dav.propfind("", depth=1, check=503)
    assert words in answer.text
    assert int(answer.header("Retry-After")) > 0
    told = alice.status()["accounts"]["contoso"]
    assert told["state"] == "needs sign-in"
    assert words in told["message"]


@pytest.fixture
def secret(person: Person) -> Path:
    """The application's own sign-in; the file that its secret is in."""
    file = person.file.with_name("secret")
    person.account(sign_in="client_secret", client_secret={"file": str(file)})
    person.change(lambda data: data["policies"]["me"].update(user=person.emulator.user))
    return file


@pytest.mark.parametrize(("days", "warned"), [(40, False), (29, True), (6, True), (0.5, True)])
def test_client_secret_will_expire(person: Person, secret: Path, days: float, warned: bool) -> None:
    """ "Client secret expired": `status` warns 30, 7 and 1 days before."""
    ends = (person.emulator.clock.now() + timedelta(days=days)).date()
    person.account(secret_expires=ends)
    assert ("WARN" in person.run("status")) == warned


def test_client_secret_expired(person: Person, secret: Path) -> None:
    """… and when it has lapsed, says which value goes where; a new one in the file is all that is needed."""
    person.emulator.world.secret_expired = True
    for command, status in (("check", 78), ("status", 1)):
        said = person.run(command, status=status)
        assert "AADSTS7000222" in said
        assert "make a new one under Certificates & secrets, and put its Value where `client_secret` points" in said
    person.emulator.world.secret_expired = False
    person.emulator.world.client_secret = "another"
    secret.write_text("another")
    person.run("check")


def test_check_the_authorization_status(alice: Person) -> None:
    """ "Check the authorization status": all that there is to know, with an exit status and as JSON."""
    assert "ok" in alice.run("status", status=0)
    told = alice.status()
    account, policy = told["accounts"]["contoso"], told["policies"]["me"]
    assert told["ok"] is True
    assert account["state"] == "ok"
    assert account["who"] == alice.emulator.user
    assert account["tenant"]
    assert "Files.ReadWrite.All" in account["scopes"]
    assert account["last_refresh"]
    assert account["last_refresh"] < account["token_ends"] < account["sign_in_ends"]
    assert policy["reachable"] is True
    assert policy["quota"]["available"] > 0
    alice.end_tokens()
    alice.emulator.entra.revoked = True
    alice.run("status", status=1)
    assert alice.status()["ok"] is False


def test_use_the_same_account_as_last_time(alice: Person) -> None:
    """ "Use the same account as last time": another one is refused by name, unless it is meant."""
    alice.emulator.world.user = "mallory@contoso.onmicrosoft.com"
    said = alice.run("login", status=1)
    assert "alice@contoso.onmicrosoft.com" in said
    assert "mallory@contoso.onmicrosoft.com" in said
    assert alice.status()["accounts"]["contoso"]["who"] == "alice@contoso.onmicrosoft.com"
    assert "signed in as mallory" in alice.run("login", "--replace-account")
    assert alice.status()["accounts"]["contoso"]["who"] == "mallory@contoso.onmicrosoft.com"


def test_the_drive_id_must_match(alice: Person) -> None:
    """… and the drive stays the same one: by a new sign-in, and by one that was refused; another one only if meant."""

    def drive() -> str:
        return str(alice.status()["policies"]["me"]["drive_id"])

    world = alice.emulator.world
    world.own_drives["mallory@contoso.onmicrosoft.com"] = "personal-migrated"
    before = drive()
    alice.end_tokens()
    alice.run("login")
    assert drive() == before == alice.emulator.drive("business").id
    world.user = "mallory@contoso.onmicrosoft.com"
    alice.run("login", status=1)
    assert drive() == before
    alice.run("login", "--replace-account")
    assert drive() == alice.emulator.drive("personal-migrated").id


def test_a_replaced_account_in_a_bridge_that_runs(alice: Person) -> None:
    """… and then a running bridge shows the other one's drive, and writes there, without a restart."""
    mallory = "mallory@contoso.onmicrosoft.com"
    alice.change(lambda data: data["server"].update(workers=2))
    alice.emulator.world.own_drives[mallory] = "personal-migrated"
    alice.emulator.drive("business").put("/alices.txt", b"x")
    alice.emulator.drive("personal-migrated").put("/mallorys.txt", b"x")
    with serving(alice.file) as running, closing(running.dav()) as dav:
        dav.get("alices.txt", check=200)
        alice.emulator.world.user = mallory
        assert "looked the account's drives up anew" in alice.run("login", "--replace-account")
        for _ in range(8):
            with closing(running.dav()) as other:
                other.get("alices.txt", check=404)
                other.get("mallorys.txt", check=200)
                other.put("new.txt", b"y")
    assert alice.emulator.drive("personal-migrated").exists("/new.txt")
    assert not alice.emulator.drive("business").exists("/new.txt")


def test_default_is_the_authorized_accounts_onedrive(alice: Person) -> None:
    """ "Default = authorized account's OneDrive": without `user` it is Graph's `/me/drive`."""
    with alice.bridge() as (dav, _), alice.emulator.calls.counting() as calls:
        dav.put("a.txt", b"mine", check=201)
    assert "/v1.0/me/drive" in [call.path for call in calls.calls]
    assert alice.emulator.drive("business").read("/a.txt") == b"mine"


def test_sharepoint_1_an_account_with_access(person: Person) -> None:
    """ "SharePoint 1: account with access": `login --check` says of each policy whether the account gets in."""
    said = person.run("login", "--check")
    assert "ok   me: business drive" in said
    assert "ok   team: documentLibrary drive" in said
    body = b'{"error":{"code":"accessDenied","message":"Access denied"}}'
    person.emulator.faults.add("get drive or site", Status(403, body=body), times=99)
    said = person.run("login", "--check", status=1)
    assert "FAIL team: the account may not see the site" in said


def test_sharepoint_2_save_files_to_sharepoint(alice: Person) -> None:
    """ "SharePoint 2: choose Save files to SharePoint": driver and keys must fit, and the wrong one's line is named."""
    alice.run("check")
    for policy, key, value, words in (
        ("me", "site", "https://contoso.sharepoint.com/sites/team", "driver: onedrive takes no site"),
        ("team", "user", "alice@contoso.onmicrosoft.com", "driver: sharepoint takes no user"),
    ):
        before = alice.file.read_text()
        alice.change(lambda data, policy=policy, key=key, value=value: data["policies"][policy].update({key: value}))
        line = next(n for n, text in enumerate(alice.file.read_text().splitlines(), 1) if text == f"  {policy}:")
        assert f"config.yaml:{line}: policies.{policy}: {words}" in alice.run("check", status=78)
        alice.file.write_text(before)


HOST = "https://contoso.sharepoint.com"


@pytest.mark.parametrize(
    ("pasted", "drive"),
    [
        (f"{HOST}/sites/team", "documents"),
        (f"{HOST}/sites/team/Archive/Forms/AllItems.aspx", "archive"),
        (f"{HOST}/sites/team/Shared%20Documents/Forms/AllItems.aspx?id=%2Fsites%2Fteam%2FArchive", "archive"),
        (f"{HOST}/sites/team/design/Shared%20Documents", "design"),
    ],
)
def test_sharepoint_3_fill_in_site_address(alice: Person, pasted: str, drive: str) -> None:
    """ "SharePoint 3: fill in site address": `resolve` turns what browsers show into ids; `site` takes it as is."""
    told = json.loads(alice.run("resolve", "--json", pasted))
    assert told["drive"]["id"] == alice.emulator.drive(drive).id
    alice.change(lambda data: data["policies"]["team"].update(site=pasted))
    alice.change(lambda data: data["policies"]["team"].pop("library", None))
    status = alice.status()["policies"]["team"]
    assert (status["reachable"], status["drive_id"]) == (True, alice.emulator.drive(drive).id)


def test_sharepoint_3_a_wrong_address(alice: Person) -> None:
    """… and for a wrong one says which of the reasons it is."""
    assert "no site" in alice.run("resolve", f"{HOST}/sites/none", status=1)
    assert "closed" in alice.run("resolve", f"{HOST}/teams/closed", status=1)
    assert "another tenant" in alice.run("resolve", "https://fabrikam.sharepoint.com/sites/team", status=1)


def test_sharepoint_4_save_policy(alice: Person) -> None:
    """ "SharePoint 4: save policy": SIGHUP switches at once; a wrong file changes nothing, and says so."""
    with serving(alice.file) as running, closing(running.dav("me")) as dav:
        dav.put("a.txt", b"1", check=201)
        dav.lock("a.txt", check=200)
        alice.emulator.drive("business").put("/inner/b.txt", b"2")
        good = alice.file.read_text()
        alice.change(lambda data: data["policies"]["me"].update(root="/nowhere"))
        assert "/nowhere" in alice.run("reload", status=78)
        assert dav.get("a.txt", check=200).body == b"1"
        alice.file.write_text(good)
        alice.change(lambda data: data["policies"]["me"].update(root="/inner"))
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: dav.get("b.txt").status == 200)
        dav.get("a.txt", check=404)
        # the lock was on a path of the former root
        dav.put("a.txt", b"3", check=201)


def test_a_personal_account(person: Person) -> None:
    """FAQ "personal account": it signs in; an app for work accounts only, and SharePoint, are told."""
    person.account(tenant="consumers")
    before = person.file.read_text()
    said = person.run("check", status=78)
    assert "a personal account (tenant: consumers) has no SharePoint" in said
    person.change(lambda data: data["policies"].pop("team"))
    person.emulator.faults.add("device code", Aadsts(9002332, "invalid_request"))
    assert "`Supported account types` of the app registration" in person.run("login", status=78)
    assert f"signed in as {person.emulator.user}" in person.run("login")
    assert "ok   me" in person.run("check")
    person.file.write_text(before)
    person.account(tenant="common")
    person.run("login")


NAME = "Übersicht 2024.docx"


def file_name(header: str) -> tuple[str, str]:
    """The name as an old client reads it, and as the others do (RFC 6266)."""
    plain = header.partition('filename="')[2].partition('"')[0]
    return plain, unquote(header.partition("filename*=UTF-8''")[2])


def test_incorrect_filename(alice: Person, tmp_path: Path) -> None:
    """FAQ "incorrect filename": proxied, both forms of the name are sent, the bytes are right, and Range works."""
    alice.emulator.drive("business").put(f"/Reports/{NAME}", b"0123456789")
    path = f"Reports/{quote(NAME)}"
    with alice.bridge() as (dav, _):
        whole = dav.get(path, check=200)
        assert file_name(whole.header("Content-Disposition")) == ("_bersicht 2024.docx", NAME)
        assert whole.body == b"0123456789"
        assert dav.get(path, headers={"Range": "bytes=2-4"}, check=206).body == b"234"


@pytest.mark.parametrize("mode", ["redirect", "auto"])
def test_incorrect_filename_redirected(alice: Person, mode: str) -> None:
    """… redirected, the saved name is the file's; HEAD never is, nor a client that cannot follow (`auto`)."""
    alice.change(lambda data: data["policies"]["me"].update(download=mode))
    content = bytes(9 * 2**20)
    alice.emulator.drive("business").put(f"/Reports/{NAME}", content)
    path = f"Reports/{quote(NAME)}"
    with alice.bridge() as (dav, _):
        browser = dav.as_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        place = browser.get(path, check=302).header("Location")
        context = ssl.create_default_context(cafile=alice.emulator.ca_file)
        with urllib.request.urlopen(place, context=context, timeout=30) as answer:
            assert file_name(answer.headers["Content-Disposition"])[1] == NAME
            assert answer.read() == content
        browser.head(path, check=200)
        explorer = dav.as_agent("Microsoft-WebDAV-MiniRedir/10.0.19045")
        assert explorer.get(path).status == (302 if mode == "redirect" else 200)


def test_unable_to_create_upload_session(alice: Person) -> None:
    """FAQ "Unable to create upload session": refused before the body is read, with words; after a login it goes."""
    alice.end_tokens()
    alice.emulator.entra.revoked = True
    with alice.bridge() as (dav, _):
        dav.propfind("", depth=1, check=503)
        parts = urlsplit(dav.base)
        for framing in ("Content-Length: 100000000", "Transfer-Encoding: chunked"):
            with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
                head = f"PUT /me/big.bin HTTP/1.1\r\nHost: x\r\n{framing}\r\nAuthorization: {dav.auth}\r\n\r\n"
                connection.sendall(head.encode())
                told = connection.makefile("rb").read(2000).decode()
            assert told.startswith("HTTP/1.1 503 ")
            assert "davbridge login contoso" in told
            assert "unknown error" not in told.lower()
        assert not alice.emulator.drive("business").exists("/big.bin")
        alice.emulator.entra.revoked = False
        alice.run("login")
        dav.put("big.bin", bytes(5 * 2**20), check=201)
    assert alice.emulator.drive("business").read("/big.bin") == bytes(5 * 2**20)


def test_redirect_uri_is_invalid(person: Person, emulator: Emulator) -> None:
    """FAQ "redirect_uri is not valid": a device code needs none; the browser's is printed; AADSTS50011 is explained."""
    with emulator.calls.counting() as calls:
        assert "enter the code" in person.run("login")
    assert not [call for call in calls.calls if call.operation == "authorize"]
    person.account(sign_in="browser")
    told = quote("AADSTS50011: The redirect URI 'http://localhost:1' does not match.")
    said = person.run(
        "login", "--paste", stdin=f"http://localhost/?error=invalid_request&error_description={told}", status=1
    )
    assert "The app registration needs the redirect URI http://localhost, for mobile and desktop apps" in said
    assert "`state` is another one" in said, "whoever has not begun this sign-in cannot end it, nor explain it"
    person.emulator.faults.add("token", Aadsts(50011, "invalid_request"))
    said = pasted_login(person, status=78)
    assert "the redirect URI is not registered: under Authentication add the platform" in said


def pasted_login(person: Person, change: Any = str, status: int = 0) -> str:
    """`davbridge login --paste` by somebody whose browser is elsewhere; `change` changes the address it ends at."""
    command = [sys.executable, "-u", "-m", "davbridge", "login", "--paste", "--config", str(person.file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        said, address = "", ""
        while not address:
            line = process.stdout.readline()
            assert line, said
            said += line
            address = line.strip() if line.startswith("https://") else ""
        answer = requests.get(address, verify=person.emulator.ca_file, allow_redirects=False, timeout=10)
        said += process.communicate(change(answer.headers["Location"]) + "\n", timeout=30)[0]
    assert process.returncode == status, said
    return str(said)


def test_err_ssl_protocol_error(person: Person) -> None:
    """FAQ "ERR_SSL_PROTOCOL_ERROR": no https callback; the address may be pasted as https; `state` and PKCE count."""
    person.account(sign_in="browser")
    said = pasted_login(person, lambda address: address.replace("http://", "https://"))
    assert f"signed in as {person.emulator.user}" in said
    asked = parse_qs(urlsplit(next(one for one in said.splitlines() if one.startswith("https://"))).query)
    assert asked["redirect_uri"][0].startswith("http://localhost:")
    assert asked["code_challenge_method"] == ["S256"]
    said = pasted_login(person, lambda address: address.replace("state=", "state=x"), status=1)
    assert "`state` is another one" in said

    def foreign(address: str) -> str:
        for code in person.emulator.entra.codes.values():
            code.challenge = "of another sign-in"
        return address

    assert "AADSTS501481" in pasted_login(person, foreign, status=1)


def test_aadsts7000215(person: Person, secret: Path) -> None:
    """FAQ "AADSTS7000215": the secret's ID in place of its value is told from a wrong value and from an expired one."""
    secret.write_text("11111111-2222-3333-4444-555555555555")
    assert "it looks like a secret's ID" in person.run("check", status=78)
    secret.write_text("wrong")
    said = person.run("check", status=78)
    assert "the client secret is wrong: make a new one" in said
    person.emulator.world.secret_expired = True
    assert "the client secret has expired" in person.run("check", status=78)


def test_a_new_secret_loses_no_refresh_token(alice: Person) -> None:
    """… and trouble with another account's secret costs a person nothing: sign-ins lie in files of their own."""
    tokens = alice.file.parent / "state" / "tokens"
    before = (tokens / "contoso.tokens").read_bytes()

    def second(data: dict[str, Any]) -> None:
        app = {**data["accounts"]["contoso"], "sign_in": "client_secret"}
        data["accounts"]["app"] = {**app, "client_secret": {"file": str(alice.file.with_name("secret"))}}
        data["policies"]["me"].update(account="app", user=alice.emulator.user)

    alice.file.with_name("secret").write_text("wrong")
    alice.change(second)
    assert "the client secret is wrong" in alice.run("check", status=78)
    alice.file.with_name("secret").write_text(alice.emulator.client_secret)
    alice.run("check")
    assert (tokens / "contoso.tokens").read_bytes() == before


def test_all_authorizations_suddenly_invalid(alice: Person) -> None:
    """FAQ "all authorizations suddenly invalid after cache clear": nothing but the token files is the sign-in."""
    state = alice.file.parent / "state"
    with alice.bridge() as (dav, _):
        dav.put("a.txt", b"x", check=201)
    for path in state.iterdir():
        if path.name != "tokens":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with alice.bridge() as (dav, _):
        dav.get("a.txt", check=200)
    assert alice.status()["accounts"]["contoso"]["state"] == "ok"


def test_two_processes_share_a_sign_in(alice: Person) -> None:
    """… "and two processes share it safely": of two bridges one refreshes, and the other takes its token."""
    entra, rounds = alice.emulator.entra, 5
    entra.rotates = True

    def put(client: Dav, name: str) -> None:
        client.put(name, b"x", check=201)
        client.close()

    with alice.bridge() as (one, _), alice.bridge() as (two, _), alice.emulator.calls.counting() as calls:
        for number in range(rounds):
            alice.end_tokens()
            clients = [Dav(dav.base, "alice", USERS["alice"], "/me/") for dav in (one, two) for _ in range(4)]
            threads = [
                threading.Thread(target=put, args=(dav, f"{number}-{index}.txt")) for index, dav in enumerate(clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    names = [f"/{number}-{index}.txt" for number in range(rounds) for index in range(8)]
    assert all(map(alice.emulator.drive("business").exists, names))
    assert sum(call.operation == "token" for call in calls.calls) == rounds
    assert entra.busiest == 1
    assert entra.reused == 0
