"""What the templates make of hostile names, and how the style can be read."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html

from davbridge.clock import ManualClock
from davbridge.drivers.protocol import Quota
from davbridge.mirror.report import MirrorReport
from davbridge.page.findings import AccountFinding, PagePolicy, PolicyFinding
from davbridge.page.render import Pages
from davbridge.page.signins import Flow
from davbridge.page.transfers import Shown
from davbridge.page.troubles import Trouble
from davbridge.page.words import ago, printable, said, spell
from davbridge.tokens import AccountReport

PAGES = Pages(ManualClock())
HOSTILE = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "' onfocus='alert(1)",
            "javascript:alert(1)",
            "</title></style><svg onload=alert(1)>",
            "{{ 7*7 }}{% raw %}",
            "`<b>`",
            "\u202egpj.exe",
            "\ud800",
        ]
    ),
    st.text(),
)


def values(name: str, template: str, state: Any = "waiting") -> dict[str, Any]:
    """All that the templates show, with one text in each place where somebody else's may stand."""
    report = AccountReport("needs sign-in", "browser", name, name, (name,), warning=name, message=name)
    policy = PagePolicy(name, "onedrive", name, name, name, {name: name}, SimpleNamespace())  # type: ignore[arg-type]
    mirror = MirrorReport("live", True, 1, 0, 1.0, 1, "", 2, (name,))
    account = AccountFinding(name, report, True, name)
    flow = Flow("1", state, name, 1.0, 1.0, name, name, "", 2.0, name)
    found = PolicyFinding(name, policy, name, name, Quota(1, 2), 1.0, mirror)
    return {
        **{"user": name, "token": name, "message": name, "name": name, "is_open": True, "problem": name},
        **{
            "accounts": [account],
            "account": account if template == "signin" else name,
            "flows": {name: flow},
            "flow": flow,
            "policies": [found],
        },
        "transfers": [(Shown(name, True, name, 1, 2, 1.0, 1.0), name)],
        "troubles": [Trouble(name, True, 1, 1.0, 2.0)],
        **{"every": "5", "choices": ("5",), "method": name, "redirect_uri": name, "pasted": name},
        **{"ended": False, "address": name},
    }


def parsed(text: str) -> Any:
    """A page as a browser gets it."""
    return html.document_fromstring(text.encode("utf-8", "replace"), parser=html.HTMLParser(encoding="utf-8"))


def shape(text: str) -> list[tuple[Any, ...]]:
    """Elements and the names of their attributes: what a text must never change."""
    return [(str(node.tag), *sorted(node.attrib)) for node in parsed(text).iter() if node.tag != "code"]


TEMPLATES = ["overview", "signin", "login", "message", "progress", "again", "callback"]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(HOSTILE)
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_name_becomes_markup(template: str, name: str) -> None:
    """Each page has the same elements and attributes, whatever stands in it."""
    name = name or "x"
    pages = [PAGES.render(template, **values(one, template)) for one in (name, "plain")]
    assert shape(pages[0]) == shape(pages[1])


@given(HOSTILE)
def test_only_https_becomes_a_link(name: str) -> None:
    """Whatever Microsoft, or somebody in its place, calls its page."""
    page = parsed(PAGES.render("signin", **values(name or "x", "signin")))
    for link in page.iter("a"):
        assert link.get("href", "").startswith(("https://", "/.davbridge/", "#main"))


@pytest.mark.parametrize("state", ["starting", "waiting", "checking", "done", "failed", "expired", "interrupted"])
@pytest.mark.parametrize("template", ["overview", "signin", "progress"])
def test_every_state_of_a_sign_in_has_words(template: str, state: str) -> None:
    """No state leaves a page without saying how it stands."""
    page = parsed(PAGES.render(template, **values("plain", template, state)))
    if template != "overview":
        assert page.xpath("//*[@role='status']|//iframe")


@pytest.mark.parametrize("template", TEMPLATES)
def test_pages_can_be_walked(template: str) -> None:
    """One main heading, no level left out, a label for each field, a caption for each table, no double id."""
    page = parsed(PAGES.render(template, **values("plain", template)))
    assert page.get("lang") == "en"
    assert page.findtext(".//title")
    levels = [int(node.tag[1]) for node in page.iter("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False))
    assert levels.count(1) == (0 if template == "progress" else 1)
    labels = {node.get("for") for node in page.iter("label")}
    for field in page.iter("input", "meter"):
        assert field.get("type") == "hidden" or field.get("id") in labels
    for bar in page.iter("progress", "iframe"):
        assert bar.get("aria-label") or bar.get("title")
    assert all(table.find("caption") is not None for table in page.iter("table"))
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert not page.xpath("//script|//@style|//@*[starts-with(name(), 'on')]")


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "behind", "least"),
    [
        *[(text, back, 4.5) for text in ("text", "soft", "accent") for back in ("back", "card")],
        *[("text", f"{kind}-back", 4.5) for kind in ("good", "bad", "warn")],
        *[("soft", f"{kind}-back", 4.5) for kind in ("good", "bad", "warn")],
        *[(kind, f"{kind}-back", 4.5) for kind in ("good", "bad", "warn")],
        ("on-accent", "accent", 4.5),
        ("field", "card", 3.0),
        ("accent", "line", 3.0),
    ],
)
def test_contrasts(scheme: int, front: str, behind: str, least: float) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for what must be seen besides."""
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", PAGES.style.split(":root{")[scheme + 1]))
    one, other = sorted((luminance(colours[front]), luminance(colours[behind])), reverse=True)
    assert (one + 0.05) / (other + 0.05) >= least


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (45, "45 seconds ago"),
        (-30, "in 30 seconds"),
        (600, "10 minutes ago"),
        (7300, "2 hours ago"),
        (-86400 * 3, "in 3 days"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """One unit, in either direction."""
    assert ago(1_000_000 - seconds, 1_000_000) == words


def test_words() -> None:
    """Units agree with their number; backticks become code; what cannot be seen is shown."""
    assert spell(1) == "1 second"
    assert said("run `davbridge login x` & wait") == "Run <code>davbridge login x</code> &amp; wait"
    assert said("one ` alone") == "One ` alone"
    assert printable("a\u202eb\x00\ud800") == "a\ufffdb\ufffd\ufffd"
