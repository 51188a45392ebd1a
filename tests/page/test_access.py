"""Who sees the page, who can change something by it, and what it leaves to DAV."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from davbridge.config import load
from davbridge.config.model import Config
from davbridge.emulator import Emulator
from davbridge.errors import ConfigError
from tests.support.site import Browser, Site, running_site, site_configuration
from tests.support.world import USERS

VIEWS = ["", "sign-in?account=contoso", "callback?state=x&code=y&again=1"]
FORMS = ["logout", "sign-in?account=contoso", "answer?account=contoso"]


def test_signing_in_and_out(site: Site) -> None:
    """The form, the page, and the form again; the cookie is for this page alone, unseen by scripts and other sites."""
    browser = site.browser()
    assert browser.get("").headers["location"] == "/.davbridge/login"
    assert browser.get("login").status == 200
    done = browser.log_in()
    assert (done.status, done.headers["location"]) == (303, "/.davbridge/")
    page = browser.get("")
    assert page.status == 200
    assert "All is well" in page.text
    old = dict(browser.cookies)
    assert browser.post("logout", token=page.token).headers["location"] == "/.davbridge/login"
    assert browser.cookies == {}
    browser.cookies = old
    assert browser.get("").status == 303, "the session is over, not only forgotten"


def test_cookies_are_closed(site: Site) -> None:
    """Strict, for this path, for no script; marked by their name and for https only where the page came so."""
    request = urllib.request.Request(f"{site.base}/.davbridge/login")
    with urllib.request.urlopen(request, timeout=10) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("davbridge-form=")
    assert cookie.endswith("; Path=/.davbridge/; HttpOnly; SameSite=Strict")


@pytest.mark.parametrize("place", ["login", "", "sign-in?account=contoso", "nothing", "progress?account=contoso"])
def test_every_answer_is_closed(browser: Browser, place: str) -> None:
    """Never kept, no script, nothing from elsewhere, in no foreign frame."""
    headers = browser.get(place).headers
    assert headers["cache-control"] == "no-store"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert policy["style-src"].startswith("'sha256-")
    assert "script-src" not in policy
    own = place.startswith("progress")
    assert policy["frame-ancestors"] == ("'self'" if own else "'none'")
    assert headers["x-frame-options"] == ("SAMEORIGIN" if own else "DENY")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "www-authenticate" not in headers


@pytest.mark.parametrize("name", ["alice", "nobody", "", "<b>"])
def test_a_wrong_password(site: Site, name: str) -> None:
    """The same words for a user and for nobody; no session."""
    browser = site.browser()
    answer = browser.log_in(name, "wrong")
    assert answer.status == 403
    assert "The name or the password is wrong." in answer.text
    assert "davbridge" not in browser.cookies
    assert browser.get("").status == 303


def test_a_user_who_is_no_admin(site: Site) -> None:
    """Is told so, clearly, once the password was right; and has no session."""
    browser = site.browser()
    answer = browser.log_in("bob")
    assert answer.status == 403
    assert "The user bob may use the drives, but not see this page" in answer.text
    assert "davbridge" not in browser.cookies


def test_dav_passwords_are_not_taken(site: Site) -> None:
    """Neither a right Basic header nor one that a browser remembers opens the page, and it asks for none."""
    for method in ("GET", "POST"):
        page = site.browser().ask(method, "", headers={"Authorization": "Basic YWxpY2U6c2VjcmV0"})
        assert page.status in (303, 403, 404)
        assert "www-authenticate" not in page.headers


@pytest.mark.parametrize("place", VIEWS)
def test_views_need_a_session(site: Site, place: str) -> None:
    """Without one there is the login form and nothing else."""
    assert site.browser().get(place).headers["location"] == "/.davbridge/login"


@pytest.mark.parametrize("place", FORMS)
@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Origin": ""}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        ({}, ""),
        ({}, "0" * 64),
        ({}, "another's"),
    ],
)
def test_forged_forms(site: Site, browser: Browser, place: str, headers: dict[str, str], token: str | None) -> None:
    """From another site, or without this session's token: 403, and nothing has happened."""
    right = browser.get("").token
    if token == "another's":
        other = site.browser()
        other.log_in()
        token = other.get("").token
        assert token != right
    answer = browser.post(place, headers, token=right if token is None else token)
    assert answer.status == 403
    assert browser.get("").status == 200
    assert site.emulator.entra.devices == {}


def test_a_forged_login(site: Site) -> None:
    """Nobody is signed in as somebody else by another site, nor with a form that was made for another visitor."""
    browser = site.browser()
    form = browser.get("login")
    fields = {"name": "alice", "password": USERS["alice"], "token": form.token}
    assert browser.post("login", {"Origin": "https://evil.example"}, **fields).status == 403
    assert site.browser().post("login", **fields).status == 403
    assert browser.post("login", **{**fields, "token": "0" * 64}).status == 403
    assert browser.post("login", **fields).status == 303


def test_a_planted_cookie_is_not_kept(site: Site) -> None:
    """A session begins with a value of its own; a visitor's that we did not make is replaced."""
    browser = site.browser()
    browser.cookies = {"davbridge": "planted", "davbridge-form": "x"}
    browser.get("login")
    assert browser.cookies["davbridge-form"] != "x"
    browser.log_in()
    assert browser.cookies["davbridge"] != "planted"


@pytest.mark.parametrize("place", FORMS)
def test_a_get_changes_nothing(site: Site, browser: Browser, place: str) -> None:
    """Not even with the token in the address."""
    token = browser.get("").token
    name, _, query = place.partition("?")
    browser.get(f"{name}?{query}&token={token}&address=http://localhost/?code=1")
    assert site.emulator.entra.devices == {}
    assert browser.get("").status == 200


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"password": "x" * 20000}, {}, 413),
        ({}, {"Content-Type": "application/json"}, 415),
        ({"name": "x" * 300}, {}, 413),
        ({f"f{number}": "1" for number in range(60)}, {}, 400),
    ],
)
def test_forms_that_are_none(site: Site, fields: dict[str, str], headers: dict[str, str], status: int) -> None:
    """Too large, of another kind, with too many fields: refused, with a sentence."""
    browser = site.browser()
    token = browser.get("login").token
    answer = browser.post("login", headers, token=token, **fields)
    assert answer.status == status
    assert "That is not possible" in answer.text


def test_guessing_is_slowed_down(emulator_site: Site) -> None:
    """As at DAV, and together with it: five free ones, then longer and longer pauses."""
    browser = emulator_site.browser()
    clock = emulator_site.bridge.accounts["contoso"].clock
    for _ in range(5):
        assert browser.log_in("alice", "wrong").status == 403
    before = clock.slept  # type: ignore[attr-defined]
    browser.log_in("alice", "wrong")
    browser.log_in("alice", "wrong")
    assert clock.slept - before == pytest.approx(0.75)  # type: ignore[attr-defined]
    dav = emulator_site.dav()
    dav.options("/")
    assert dav.get("/me/").status in (200, 207, 503)
    dav.close()
    assert clock.slept - before >= 1.5  # type: ignore[attr-defined]


@pytest.fixture
def emulator_site(tmp_path: Path) -> object:
    """A bridge of its own, whose clock counts pauses."""
    from tests.support.clock import HastyClock

    with (
        Emulator.start() as emulator,
        running_site(emulator, site_configuration(emulator, tmp_path), tmp_path, HastyClock()) as site,
    ):
        yield site


@pytest.mark.parametrize("place", ["/.davbridge/", "/.davbridge", "/.davbridge/x"])
@pytest.mark.parametrize("method", ["PROPFIND", "PUT", "DELETE", "MKCOL", "OPTIONS", "LOCK", "SEARCH"])
def test_dav_never_sees_the_page(site: Site, place: str, method: str) -> None:
    """With a right DAV password, too: 405, and it says what there is."""
    dav = site.dav()
    answer = dav.request(method, place)
    dav.close()
    assert answer.status == 405
    assert answer.header("Allow") == "GET, HEAD, POST"
    assert not answer.header("DAV")


def test_dav_is_as_it_was(site: Site) -> None:
    """The page is not listed, and a mount's answers are the mount's."""
    dav = site.dav()
    assert [one.href for one in dav.propfind("/", depth=1).resources] == ["/", "/me/", "/team/"]
    assert dav.get("Welcome.txt").body == b"Hello"
    answer = dav.put("new.txt", b"x" * 3_000_000)
    assert answer.status == 201
    assert dav.get("new.txt").body == b"x" * 3_000_000
    assert dav.request("OPTIONS", "/.davbridgex").status == 200
    dav.close()


Change = Callable[[Config], Config]


def off(config: Config) -> Config:
    """`status_page: false`."""
    return config.model_copy(update={"server": config.server.model_copy(update={"status_page": False})})


def no_admin(config: Config) -> Config:
    """Nobody is one."""
    users = {name: user.model_copy(update={"admin": False}) for name, user in config.users.items()}
    return config.model_copy(update={"users": users})


@pytest.mark.parametrize("change", [off, no_admin])
def test_without_the_page(site: Site, tmp_path: Path, change: Change) -> None:
    """Switched off, or with nobody to see it: the path is DAV's again, and no file is made."""
    config = change(site_configuration(site.emulator, tmp_path))
    with running_site(site.emulator, config, tmp_path) as other:
        assert other.browser().get("login").status == 401
        dav = other.dav()
        assert dav.get("/.davbridge/login").status == 404
        dav.close()
    assert not list((tmp_path / "state").glob("page.sqlite*"))


def test_the_configuration_says_who_may(tmp_path: Path) -> None:
    """A page for nobody is a mistake that is told with its line; so is a mount in its place."""
    text = Path("config.example.yaml").read_text()
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("server:", "server:\n  status_page: true", 1).replace(", admin: true", ""))
    with pytest.raises(ConfigError, match=r"server.status_page: nobody may see it: give a user `admin: true`"):
        load(path)
    path.write_text(text.replace("mount: /me", "mount: /.DavBridge/x"))
    with pytest.raises(ConfigError, match=r"/.davbridge is the bridge's own"):
        load(path)


def test_sessions_follow_the_configuration(site: Site, tmp_path: Path) -> None:
    """A bridge with another configuration over the same state takes a session only from who is still an admin."""
    config = site_configuration(site.emulator, tmp_path)
    with running_site(site.emulator, config, tmp_path) as first:
        browser = first.browser()
        browser.log_in()
    users = {**config.users, "bob": config.users["bob"].model_copy(update={"admin": True})}
    same = config.model_copy(update={"users": users})
    with running_site(site.emulator, same, tmp_path) as second:
        browser.base = second.base
        assert browser.get("").status == 200
    users["alice"] = config.users["alice"].model_copy(update={"admin": False})
    with running_site(site.emulator, config.model_copy(update={"users": users}), tmp_path) as third:
        browser.base = third.base
        assert browser.get("").status == 303


def test_a_lost_file_is_made_anew(tmp_path: Path, site: Site) -> None:
    """Deleted or damaged, while it runs or before: people sign in again, and no DAV request minds."""
    config = site_configuration(site.emulator, tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "page.sqlite").write_bytes(b"not a database" * 1000)
    with running_site(site.emulator, config, tmp_path) as other:
        browser = other.browser()
        assert browser.log_in().status == 303
        for file in (tmp_path / "state").glob("page.sqlite*"):
            file.unlink()
        assert browser.get("").status in (303, 503)
        assert browser.log_in().status == 303
        assert browser.get("").status == 200


def test_behind_https(site: Site, tmp_path: Path) -> None:
    """Where people come by https the cookie goes by nothing else, and is named so that nothing else can set it."""
    config = site_configuration(site.emulator, tmp_path)
    proxy = {"trusted": ["127.0.0.1/32"], "public_url": "https://dav.example.com"}
    server = config.server.model_validate({"listen": "127.0.0.1:0", "workers": 1, "behind_proxy": proxy})
    with running_site(site.emulator, config.model_copy(update={"server": server}), tmp_path) as other:
        tells = other.browser(Host="dav.example.com", Origin="https://dav.example.com")
        tells.headers = {**tells.headers, "X-Forwarded-Proto": "https"}
        assert tells.log_in().status == 303
        assert list(tells.cookies) == ["__Secure-davbridge"]
        assert tells.get("").status == 200
        silent = other.browser(Host="dav.example.com", Origin="https://dav.example.com")
        assert silent.log_in().status == 303
        assert list(silent.cookies) == ["__Secure-davbridge"]
        inside = other.browser()
        assert inside.log_in().status == 303
        assert list(inside.cookies) == ["davbridge"]


def test_an_open_connection_is_told(site: Site) -> None:
    """Whoever types a password over plain http to another machine is warned before."""
    assert "not encrypted" not in site.browser().get("login").text
    assert "not encrypted" in site.browser(Host="dav.example.com").get("login").text


def test_refused_sign_ins_are_logged(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once a minute, with the address, and the name where it is a user's; never what was typed as the password."""
    with running_site(site.emulator, site_configuration(site.emulator, tmp_path), tmp_path) as other:
        other.browser().log_in("alice", "a-wrong-one")
        other.browser().log_in("alice", "a-wrong-one")
    (line,) = (one.getMessage() for one in caplog.records if "refused a sign-in" in one.getMessage())
    assert line == "the status page refused a sign-in as alice from 127.0.0.1: the name or the password is wrong"
    assert "a-wrong-one" not in caplog.text
