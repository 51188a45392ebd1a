"""URLs that people paste, and what is found behind them."""

from __future__ import annotations

import pytest

from davbridge.drivers.sharepoint import SiteUrl
from davbridge.errors import ConfigError

HOST = "https://contoso.sharepoint.com"


@pytest.mark.parametrize(
    ("url", "names", "length"),
    [
        (HOST, (), 0),
        (f"{HOST}/", (), 0),
        (f"{HOST}/sites/team", ("sites", "team"), 2),
        (f"{HOST}/teams/A%20B/", ("teams", "A B"), 2),
        (f"{HOST}/sites/team/Shared%20Documents/x", ("sites", "team", "Shared Documents", "x"), 2),
        (f"{HOST}/sites/team/SitePages/Home.aspx", ("sites", "team"), 2),
        (f"{HOST}/sites/team/Docs/Forms/AllItems.aspx", ("sites", "team", "Docs"), 2),
        (
            f"{HOST}/sites/team/Docs/Forms/AllItems.aspx?id=%2Fsites%2Fteam%2FDocs%2FA%20B&viewid=1",
            ("sites", "team", "Docs", "A B"),
            2,
        ),
        (f"{HOST}/:f:/r/sites/team/Docs/A?csf=1&web=1", ("sites", "team", "Docs", "A"), 2),
        (f"{HOST}/Docs", ("Docs",), 0),
    ],
)
def test_forms(url: str, names: tuple[str, ...], length: int) -> None:
    """Every form gives the decoded names and how many of them are the site's."""
    parsed = SiteUrl.parse(url)
    assert (parsed.host, parsed.names, parsed.site_length, parsed.shared) == (
        "contoso.sharepoint.com",
        names,
        length,
        False,
    )


def test_sharing_link() -> None:
    """A sharing link stays opaque."""
    assert SiteUrl.parse(f"{HOST}/:f:/s/team/EkQ1?e=abc").shared


@pytest.mark.parametrize("url", ["contoso.sharepoint.com/sites/team", "http://contoso.sharepoint.com", "", "https://"])
def test_no_url(url: str) -> None:
    """What is no https URL is refused in words."""
    with pytest.raises(ConfigError, match="https://"):
        SiteUrl.parse(url)
