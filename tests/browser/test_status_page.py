"""The status page as a person uses it, in a real browser; screenshots lie in `build/screenshots` afterwards."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Frame, Page, expect

from davbridge.edge import Limits, Tls, make_server
from tests.browser.conftest import Open, shoot
from tests.browser.hands import HANDS, Hands
from tests.browser.looks import check_looks
from tests.support.site import Site
from tests.support.world import USERS

WAYS = [
    ("phone", "light", "mouse"),
    ("phone", "dark", "keyboard"),
    ("desktop", "light", "keyboard"),
    ("desktop", "dark", "mouse"),
]


def enter(page: Page, site: Site, hands: Hands, user: str = "alice", password: str = "") -> None:
    """Sign in to the page."""
    page.goto(f"{site.base}/.davbridge/")
    hands.write(page, "Name", user)
    hands.write(page, "Password", password or USERS[user])
    hands.press(page, "Sign in")


def inner(page: Page) -> Frame:
    """The frame that tells how a sign-in stands."""
    return next(frame for frame in page.frames if "progress" in frame.url)


@pytest.mark.parametrize(("size", "scheme", "way"), WAYS)
def test_sign_in_lost_and_found(site: Site, open_page: Open, size: str, scheme: str, way: str) -> None:
    """Lost at Microsoft; the page shows it; the button, the code, the person's yes; the policy serves again."""
    name, hands = f"{size}-{scheme}", HANDS[way]
    site.sign_in()
    page = open_page(site.base, size, scheme)
    page.goto(f"{site.base}/.davbridge/")
    shoot(page, f"1-login-{name}")
    check_looks(page)
    enter(page, site, hands)
    expect(page.get_by_role("status")).to_contain_text("All is well")
    shoot(page, f"2-well-{name}")
    check_looks(page)

    site.lose_sign_in()
    hands.press(page, "Refresh")
    expect(page.get_by_role("status")).to_contain_text("cannot be used")
    expect(page.get_by_text("The sign-in was revoked").first).to_be_visible()
    shoot(page, f"3-lost-{name}")
    check_looks(page)

    hands.press(page, "Sign in again")
    expect(page.get_by_text("Type this code")).to_be_visible()
    (device,) = site.emulator.entra.devices.values()
    expect(page.locator(".code code")).to_have_text(device.user_code)
    frame = inner(page)
    expect(frame.get_by_role("status")).to_contain_text("Waiting for you")
    shoot(page, f"4-code-{name}")
    check_looks(page)

    site.emulator.entra.revoked = False
    device.state = "approved"
    expect(frame.get_by_role("status")).to_contain_text("Signed in as alice@", timeout=15000)
    expect(page.locator(".code code")).to_have_text(device.user_code)  # the page around it has stood still
    shoot(page, f"5-done-{name}")
    hands.press(page, "To the overview", frame)
    expect(page.get_by_role("status")).to_contain_text("All is well")
    dav = site.dav()
    assert dav.get("Welcome.txt").body == b"Hello"
    dav.close()


@pytest.mark.parametrize("running", ["browser"], indirect=True)
@pytest.mark.parametrize(("size", "scheme", "way"), WAYS[1:3])
def test_by_microsofts_page_and_back(site: Site, open_page: Open, size: str, scheme: str, way: str) -> None:
    """From another site the browser brings no cookie along; the page asks again by itself, and one press ends it."""
    name, hands = f"{size}-{scheme}", HANDS[way]
    page = open_page(site.base, size, scheme, ignore_https_errors=True)
    enter(page, site, hands)
    expect(page.get_by_role("status")).to_contain_text("cannot be used")
    hands.press(page, "Sign in")
    expect(page.get_by_text("Microsoft sends you back here")).to_be_visible()
    expect(page.get_by_text(f"{site.base}/.davbridge/callback")).to_be_visible()
    shoot(page, f"6-browser-{name}")
    check_looks(page)
    hands.press(page, "Open Microsoft")
    expect(page.get_by_role("heading", name="Back from Microsoft")).to_be_visible()
    hands.press(page, "Finish the sign-in")
    expect(page.get_by_role("status")).to_contain_text("Signed in as alice@", timeout=15000)
    shoot(page, f"7-done-{name}")
    check_looks(page)
    hands.press(page, "To the overview")
    expect(page.get_by_role("status")).to_contain_text("All is well")
    account = site.bridge.accounts["contoso"]
    account.forget()
    (site.folder / "state" / "tokens" / "contoso.tokens").unlink()


def test_without_script(site: Site, open_page: Open) -> None:
    """With scripts switched off nothing is missing."""
    site.sign_in()
    page = open_page(site.base, java_script_enabled=False)
    enter(page, site, HANDS["mouse"])
    expect(page.get_by_role("status")).to_contain_text("All is well")
    HANDS["mouse"].press(page, "Sign out")
    expect(page.get_by_role("heading", name="Sign in to the status page")).to_be_visible()


def test_over_tls(site: Site, open_page: Open, tmp_path: Path) -> None:
    """The browser takes the cookie, sends it by https alone, shows it to no script, and forgets it on signing out."""
    with secure(site, tmp_path) as base:
        page = open_page(base, ignore_https_errors=True)
        page.goto(f"{base}/.davbridge/")
        expect(page.locator("main")).not_to_contain_text("not encrypted")
        HANDS["keyboard"].write(page, "Name", "alice")
        HANDS["keyboard"].write(page, "Password", USERS["alice"])
        HANDS["keyboard"].press(page, "Sign in")
        expect(page.get_by_role("heading", name="Status")).to_be_visible()
        (cookie,) = page.context.cookies()
        assert cookie["name"] == "__Secure-davbridge"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert (cookie["path"], cookie["expires"]) == ("/.davbridge/", -1)
        assert page.evaluate("document.cookie") == ""
        HANDS["keyboard"].press(page, "Sign out")
        expect(page.get_by_role("heading", name="Sign in to the status page")).to_be_visible()
        assert [one["name"] for one in page.context.cookies()] == ["__Secure-davbridge-form"]


def test_another_site_can_do_nothing(site: Site, open_page: Open) -> None:
    """A page elsewhere posts our forms and frames our pages: the browser keeps the cookie back, and we refuse."""
    site.sign_in()
    page = open_page(site.base)
    enter(page, site, HANDS["mouse"])
    expect(page.get_by_role("heading", name="Status")).to_be_visible()
    token = page.locator("[name=token]").first.get_attribute("value")
    foreign = site.base.replace("127.0.0.1", "localhost")  # another site, to a browser
    forms: list[str] = []
    page.route(f"{foreign}/evil", lambda route: route.fulfill(content_type="text/html", body=forms[-1]))
    for action in ("sign-in?account=contoso", "logout"):
        form = f"<form method=post action='{site.base}/.davbridge/{action}'><input name=token value='{token}'></form>"
        forms.append(form)
        page.goto(f"{foreign}/evil")
        with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
            page.evaluate("document.forms[0].submit()")
        assert answered.value.status == 403
        expect(page.get_by_role("heading", name="That is not possible")).to_be_visible()
    assert site.emulator.entra.devices == {}
    page.goto(f"{site.base}/.davbridge/")
    expect(page.get_by_role("heading", name="Status")).to_be_visible()


@contextmanager
def secure(site: Site, folder: Path) -> Iterator[str]:
    """The same bridge over TLS."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    server = make_server(site.bridge.application, ["127.0.0.1:0"], Tls(str(chain), str(key)), Limits(threads=8))
    server.start()
    try:
        yield f"https://{server.addresses[0]}"
    finally:
        server.drain(5)


def test_refusals(site: Site, open_page: Open) -> None:
    """A wrong password is told beside the form, and somebody who is no admin where to become one."""
    page, hands = open_page(site.base, "phone"), HANDS["keyboard"]
    enter(page, site, hands, "alice", "wrong")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    shoot(page, "8-wrong-password")
    check_looks(page)
    enter(page, site, hands, "bob")
    expect(page.locator("main")).to_contain_text("The user bob may use the drives, but not see this page")
    shoot(page, "8-no-admin")
    check_looks(page)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_transfers_and_errors(site: Site, open_page: Open, size: str, scheme: str) -> None:
    """With long and hostile names the page keeps its shape; it refreshes itself when asked to; it can be printed."""
    site.sign_in()
    page = open_page(site.base, size, scheme)
    enter(page, site, HANDS["mouse"])
    connection = http.client.HTTPConnection(site.base.removeprefix("http://"))
    connection.putrequest("PUT", "/me/" + "%3Cb%3EA%20very%20long%20name%20" * 5 + "x" * 60 + ".mov")
    connection.putheader("Authorization", "Basic YWxpY2U6c2VjcmV0")
    connection.putheader("Content-Length", str(2**22))
    connection.endheaders()
    connection.send(bytes(2**21))
    site.emulator.drive("documents").drive.total = 10
    dav = site.dav("team")
    assert dav.put("large.bin", b"x" * 1000).status == 507
    dav.close()
    site.emulator.drive("documents").drive.total = 5 << 40
    HANDS["mouse"].press(page, "5")
    expect(page.get_by_role("cell").filter(has_text="<b>A very long name").first).to_be_visible(timeout=15000)
    expect(page.get_by_role("cell").filter(has_text="full").first).to_be_visible(timeout=15000)
    shoot(page, f"9-transfers-{size}-{scheme}")
    check_looks(page)
    HANDS["mouse"].press(page, "stop")
    page.emulate_media(media="print")
    shoot(page, f"9-print-{size}-{scheme}")
    connection.send(bytes(2**21))
    assert connection.getresponse().status in (201, 204)
    connection.close()


def test_the_content_can_be_skipped_to(site: Site, open_page: Open) -> None:
    """The first Tab offers it, and Enter goes there."""
    page = open_page(site.base)
    enter(page, site, HANDS["mouse"])
    expect(page.get_by_role("heading", name="Status")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
