"""A bridge with a status page for the file, whose sign-in is good before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from davbridge.emulator import Emulator
from davbridge.tokens import report
from tests.support.hurry import hurry
from tests.support.site import Browser, Site, running_site, site_configuration


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With a device code."""
    folder = tmp_path_factory.mktemp("site")
    with (
        pytest.MonkeyPatch.context() as patch,
        Emulator.start() as emulator,
        running_site(emulator, site_configuration(emulator, folder), folder) as site,
    ):
        hurry(emulator, patch)
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    """Signed in, with one file."""
    running.emulator.drive("business").put("/Welcome.txt", b"Hello")
    running.emulator.entra.devices.clear()
    if running.emulator.entra.revoked or report(running.bridge.accounts["contoso"]).state != "ok":
        running.sign_in()
    return running


@pytest.fixture
def browser(site: Site) -> Browser:
    """Somebody who has signed in to the page."""
    browser = site.browser()
    assert browser.log_in().status == 303
    return browser
