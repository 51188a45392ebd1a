"""A real browser: Debian's Chromium, without a screen, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from davbridge.emulator import Emulator
from tests.support.site import Site, running_site, site_configuration

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
_STATUS = "Failed to load resource: the server responded with a status of 403"
_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of the whole session."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_QUIET.split())
        yield browser
        browser.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Opens a page of a size and a colour scheme; whatever it complains of, or asks other hosts for, is an error."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(base: str, size: str = "desktop", scheme: str = "light", **options: Any) -> Page:
        context = chromium.new_context(
            viewport=SIZES[size],  # type: ignore[arg-type]
            color_scheme=scheme,  # type: ignore[arg-type]
            device_scale_factor=2 if size == "phone" else 1,
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: None if message.text.startswith(_STATUS) else wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        allowed = (base, "data:", "https://localhost:", base.replace("127.0.0.1", "localhost"))
        page.on("request", lambda request: None if request.url.startswith(allowed) else wrong.append(request.url))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module", params=["device_code"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A bridge with a status page."""
    folder = tmp_path_factory.mktemp("site")
    with Emulator.start() as emulator:
        config = site_configuration(emulator, folder, sign_in=request.param)
        with running_site(emulator, config, folder) as site:
            emulator.entra.redirects.add(f"{site.base}/.davbridge/callback")
            yield site


@pytest.fixture
def site(running: Site) -> Site:
    """With one file."""
    running.emulator.drive("business").put("/Welcome.txt", b"Hello")
    running.emulator.entra.devices.clear()
    return running


def shoot(page: Page, name: str) -> None:
    """A screenshot of the whole page, to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
