"""Signing an account in again from the page: by device code, by the browser, by several people, with every end."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from davbridge.emulator import Emulator
from davbridge.page.file import open_file
from tests.support.clock import HastyClock
from tests.support.site import Browser, Page, Site, running_site, site_configuration
from tests.support.world import eventually

PLACE = "sign-in?account=contoso"


def begin(browser: Browser, **fields: str) -> Page:
    """Press the button, and wait until Microsoft has told the code, or the link is there."""
    done = browser.post(PLACE, token=browser.get("").token, **fields)
    assert (done.status, done.headers["location"]) == (303, f"/.davbridge/{PLACE}")
    eventually(lambda: "Asking Microsoft" not in browser.get(PLACE).text, 10)
    return browser.get(PLACE)


def progress(browser: Browser) -> str:
    """What the small frame says."""
    return browser.get("progress?account=contoso").text


def code_on(page: Page) -> str:
    """The code that is shown."""
    found = re.search(r'<p class="code"><code>([0-9A-F]{8})</code>', page.text)
    return found[1] if found else ""


def approve(site: Site, state: str = "approved") -> None:
    """The person at Microsoft's page."""
    site.emulator.entra.revoked = False
    for device in site.emulator.entra.devices.values():
        device.state = state


def test_lost_and_found_again(site: Site, browser: Browser) -> None:
    """The page tells the loss in words, the code leads back, and the policies serve; no restart, nothing typed here."""
    site.lose_sign_in()
    page = browser.get("")
    assert "Needs sign-in" in page.text
    assert "The sign-in was revoked" in page.text
    assert "not served: my-files, team" in page.text
    shown = begin(browser)
    assert "https://microsoft.com/devicelogin" in shown.text
    (device,) = site.emulator.entra.devices.values()
    assert code_on(shown) == device.user_code
    assert "Waiting for you" in progress(browser)
    assert browser.get("progress?account=contoso").headers["refresh"] == "2"
    approve(site)
    eventually(lambda: "Signed in as alice@" in progress(browser), 15)
    assert "refresh" not in browser.get("progress?account=contoso").headers
    assert "Signed in as alice@" in browser.get(PLACE).text
    page = browser.get("")
    assert "All is well" in page.text
    dav = site.dav()
    assert dav.get("Welcome.txt").body == b"Hello"
    dav.close()


def test_a_second_person_joins(site: Site, browser: Browser) -> None:
    """Two clicks, one code."""
    site.lose_sign_in()
    first = begin(browser)
    other = site.browser()
    other.log_in()
    assert "Go on with the sign-in" in other.get("").text
    assert code_on(begin(other)) == code_on(first)
    assert len(site.emulator.entra.devices) == 1
    approve(site)
    eventually(lambda: "Signed in as" in progress(other) and "Signed in as" in progress(browser), 15)


def test_a_person_who_declines(site: Site, browser: Browser) -> None:
    """Said in words, with a way to begin again; the former sign-in is untouched."""
    site.lose_sign_in()
    begin(browser)
    approve(site, "declined")
    eventually(lambda: "The sign-in did not work" in progress(browser), 15)
    page = browser.get(PLACE)
    assert "The person declined" in page.text
    assert "Begin again" in page.text
    site.emulator.entra.devices.clear()
    begin(browser)
    approve(site)
    eventually(lambda: "Signed in as" in progress(browser), 15)


def test_a_code_that_expires(site: Site, browser: Browser) -> None:
    """After its time nothing is waited for any more, and the page says so."""
    site.lose_sign_in()
    begin(browser)
    for device in site.emulator.entra.devices.values():
        device.expires = site.emulator.clock.now()
    eventually(lambda: "its 15 minutes were over" in progress(browser), 15)


def test_somebody_else(site: Site, browser: Browser) -> None:
    """Another account is refused by name, as at the command line."""
    site.lose_sign_in()
    begin(browser)
    site.emulator.world.user = "mallory@contoso.onmicrosoft.com"
    try:
        approve(site)
        eventually(lambda: "belongs to alice@contoso" in progress(browser), 15)
    finally:
        site.emulator.world.user = site.emulator.user


def test_a_flow_whose_worker_is_gone(site: Site, browser: Browser) -> None:
    """Is told to be interrupted, and the next click begins another."""
    site.lose_sign_in()
    database = open_file(site.folder / "state")
    long_ago = time.time() - 60
    with database.transaction() as transaction:
        transaction.execute(
            "INSERT OR REPLACE INTO sign_ins (account, id, state, by, began, beat, code, link) "
            "VALUES ('contoso', 'dead', 'waiting', 'bob', ?, ?, 'OLD', 'https://microsoft.com/x')",
            (long_ago, long_ago),
        )
    database.close()
    assert "The sign-in was interrupted." in browser.get(PLACE).text
    assert code_on(begin(browser)) not in ("", "OLD")
    approve(site)
    eventually(lambda: "Signed in as" in progress(browser), 15)


def test_no_secret_reaches_a_page(site: Site, browser: Browser) -> None:
    """Neither tokens nor the device's own code, which is what the bridge polls with."""
    begin(browser)
    secrets = [*site.emulator.entra.devices, *site.emulator.world.tokens, *site.emulator.world.refresh_tokens]
    pages = "".join(browser.get(place).text for place in ("", PLACE, "progress?account=contoso"))
    assert secrets
    assert not [one for one in secrets if one in pages]
    approve(site)
    eventually(lambda: "Signed in as" in progress(browser), 15)


@pytest.fixture(scope="module")
def browser_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With `sign_in: browser`; the page's own address is registered."""
    folder = tmp_path_factory.mktemp("browser")
    with Emulator.start() as emulator:
        config = site_configuration(emulator, folder, sign_in="browser")
        with running_site(emulator, config, folder) as site:
            emulator.entra.redirects.add(f"{site.base}/.davbridge/callback")
            yield site


@pytest.fixture
def admin(browser_site: Site) -> Browser:
    """Who has signed in to that page, on a bridge whose account nobody has signed in to."""
    account = browser_site.bridge.accounts["contoso"]
    account.forget()
    (browser_site.folder / "state" / "tokens" / "contoso.tokens").unlink(missing_ok=True)
    browser = browser_site.browser()
    browser.log_in()
    return browser


def link_on(page: Page) -> str:
    """Microsoft's address."""
    found = re.search(r'class="button" href="(https://[^"]*authorize[^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def follow(site: Site, link: str) -> str:
    """Sign in at Microsoft: where it sends the browser."""
    answer = requests.get(link, verify=site.emulator.ca_file, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def test_by_the_browser_and_back(browser_site: Site, admin: Browser) -> None:
    """The exact redirect URI is shown; Microsoft sends back to it; one form ends it; a second time is refused."""
    assert "Not signed in yet" in admin.get("").text
    shown = begin(admin, back="here")
    uri = f"{browser_site.base}/.davbridge/callback"
    assert f"<code>{uri}</code>" in shown.text
    link = link_on(shown)
    asked = parse_qs(urlsplit(link).query)
    assert asked["redirect_uri"] == [uri]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["nonce"]
    back = follow(browser_site, link)
    place = back.removeprefix(browser_site.base)
    # Microsoft's page begins the request: the browser sends no Strict cookie with it
    alone = browser_site.browser().ask("GET", place)
    assert alone.status == 200
    again = re.search(r'url=([^"]*)', alone.text)
    assert again
    page = admin.ask("GET", html.unescape(again[1]))
    assert "One step is left" in page.text
    address = re.search(r'name="address" value="([^"]*)"', page.text)
    assert address
    fields = {"token": page.token, "address": html.unescape(address[1])}
    assert admin.post("answer?account=contoso", **fields).status == 303
    eventually(lambda: "Signed in as alice@" in progress(admin), 15)
    assert admin.post("answer?account=contoso", **fields).status == 400
    assert admin.ask("GET", place).status == 400
    assert "All is well" in admin.get("").text


def test_by_pasting(browser_site: Site, admin: Browser) -> None:
    """Without a redirect to the page: localhost, whose address is pasted; what is not its end changes nothing."""
    begin(admin, back="here")
    shown = begin(admin, back="paste")
    link = link_on(shown)
    assert parse_qs(urlsplit(link).query)["redirect_uri"] == ["http://localhost"]
    back = follow(browser_site, link)
    wrong = [
        "",
        "nonsense",
        "http://localhost/?state=x",
        re.sub("state=[^&]*", "state=forged", back),
        re.sub("&state=[^&]*", "", back),
    ]
    for address in wrong:
        answer = admin.post("answer?account=contoso", token=shown.token, address=address)
        assert answer.status == 400
        assert 'role="alert"' in answer.text
        assert "Waiting for you" in progress(admin)
    assert admin.post("answer?account=contoso", token=shown.token, address=f" '{back}'\n").status == 303
    eventually(lambda: "Signed in as alice@" in progress(admin), 15)


def test_a_code_of_another_sign_in(browser_site: Site, admin: Browser) -> None:
    """PKCE: a code that was not asked for by this flow is worth nothing, also with the right state."""
    link = link_on(begin(admin, back="paste"))
    stolen = follow(browser_site, link)
    link = link_on(begin(admin, back="here"))
    state = parse_qs(urlsplit(link).query)["state"][0]
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    token = admin.get("").token
    address = f"{browser_site.base}/.davbridge/callback?code={code}&state={state}"
    assert admin.post("answer?account=contoso", token=token, address=address).status == 303
    eventually(lambda: "The sign-in did not work" in progress(admin), 15)
    assert "used twice" in progress(admin)


def test_microsoft_refuses(browser_site: Site, admin: Browser) -> None:
    """What comes back as an error is explained."""
    link = link_on(begin(admin, back="here"))
    state = parse_qs(urlsplit(link).query)["state"][0]
    told = "AADSTS65004: User declined to consent to access the app."
    query = f"error=access_denied&error_description={requests.utils.quote(told)}&state={state}"
    page = admin.get(f"callback?{query}")
    address = re.search(r'name="address" value="([^"]*)"', page.text)
    assert address
    admin.post("answer?account=contoso", token=page.token, address=html.unescape(address[1]))
    eventually(lambda: "The person declined" in progress(admin), 15)


def test_an_account_that_needs_nobody(tmp_path: Path) -> None:
    """A wrong secret is explained with what to do; there is no button, and no form brings one about."""
    with Emulator.start() as emulator:
        secret = tmp_path / "secret"
        secret.write_text("wrong")
        config = site_configuration(emulator, tmp_path, sign_in="client_secret", client_secret={"file": str(secret)})
        policy = config.policies["my-files"].model_copy(update={"user": emulator.user})
        config = config.model_copy(update={"policies": {**config.policies, "my-files": policy}})
        clock = HastyClock()
        with running_site(emulator, config, tmp_path, clock) as site:
            browser = site.browser()
            browser.log_in()
            with emulator.calls.counting() as calls:
                for _ in range(5):
                    page = browser.get("")
            assert len([call for call in calls.calls if call.operation == "token"]) <= 1
            assert "The client secret is wrong" in page.text
            assert "This account signs in by itself" in page.text
            assert "<button type" not in page.text.partition("<main")[2]
            assert browser.post(PLACE, token=page.token).status == 409
            secret.write_text(emulator.client_secret)
            clock.sleep(60)
            assert "All is well" in browser.get("").text


def test_views_cost_no_calls(site: Site, browser: Browser) -> None:
    """The quota and the drives are asked for once, not with each view."""
    browser.get("")
    with site.emulator.calls.counting() as calls:
        for _ in range(10):
            assert browser.get("").status == 200
    assert calls.calls == []


def test_errors_are_shown(site: Site, browser: Browser) -> None:
    """What clients were told stands on the page, once, with how often."""
    site.emulator.drive("business").drive.total = 10
    dav = site.dav()
    try:
        for _ in range(2):
            assert dav.put("large.bin", b"x" * 1000).status == 507
    finally:
        dav.close()
        site.emulator.drive("business").drive.total = 5 << 40
    eventually(lambda: "full" in browser.get("").text, 10)
    row = next(row for row in browser.get("").text.split("<tr")[1:] if "full" in row)
    assert 'data-label="How often" class="n">2' in row


def test_transfers_are_shown(site: Site, browser: Browser) -> None:
    """An upload that takes its time: file, policy, user, how far."""
    import http.client

    connection = http.client.HTTPConnection(site.base.removeprefix("http://"))
    connection.putrequest("PUT", "/me/Long%20film.mov")
    connection.putheader("Authorization", "Basic YWxpY2U6c2VjcmV0")
    connection.putheader("Content-Length", str(2**22))
    connection.endheaders()
    connection.send(bytes(2**21))
    eventually(lambda: "2.1 MB of 4.2 MB" in browser.get("").text, 10)
    row = next(row for row in browser.get("").text.split("<tr")[1:] if "Long film.mov" in row)
    assert "Upload of" in row
    assert "my-files" in row
    assert "alice" in row
    connection.send(bytes(2**21))
    assert connection.getresponse().status == 201
    connection.close()
    eventually(lambda: "Long film.mov" not in browser.get("").text, 10)
