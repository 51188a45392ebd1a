"""Where a form comes from, and whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.page.forms import is_from_here, is_token, token_for

HOST = "dav.example.com"


@pytest.mark.parametrize(
    ("headers", "right"),
    [
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://elsewhere.example"}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": f"https://{HOST}"}, False),
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": f"https://{HOST}"}, False),
        ({"HTTP_SEC_FETCH_SITE": "none"}, False),
        ({"HTTP_SEC_FETCH_SITE": ""}, False),
        ({"HTTP_ORIGIN": f"https://{HOST}"}, True),
        ({"HTTP_ORIGIN": f"http://{HOST}"}, True),
        ({"HTTP_ORIGIN": f"https://{HOST}:443"}, True),
        ({"HTTP_ORIGIN": f"https://{HOST}:8443"}, False),
        ({"HTTP_ORIGIN": f"https://{HOST}.evil.example"}, False),
        ({"HTTP_ORIGIN": f"https://evil@{HOST}:1"}, False),
        ({"HTTP_ORIGIN": "null"}, False),
        ({"HTTP_ORIGIN": ""}, False),
        ({"HTTP_ORIGIN": "https://"}, False),
        ({"HTTP_ORIGIN": "https://[::1"}, False),
        ({"HTTP_ORIGIN": f"https://{HOST}:999999"}, False),
        ({"HTTP_REFERER": f"https://{HOST}/.davbridge/"}, False),
        ({}, False),
    ],
)
def test_where_a_form_comes_from(headers: dict[str, str], right: bool) -> None:
    """Only the browser's word that it is one of our own pages counts."""
    assert is_from_here({"HTTP_HOST": HOST, **headers}) is right


def test_ports_belong_to_the_origin() -> None:
    """Another program on the machine is another site."""
    assert is_from_here({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "http://localhost:8080"})
    assert not is_from_here({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "http://localhost:3000"})
    assert not is_from_here({"HTTP_ORIGIN": "http://localhost:3000"})


@given(st.text(min_size=1), st.text())
def test_a_token_fits_one_secret(secret: str, given_: str) -> None:
    """No other text does, and none belongs to the next session."""
    secret = secret.encode("utf-8", "replace").decode()
    right = token_for(secret)
    assert is_token(secret, right)
    assert not is_token(secret, given_)
    assert not is_token(secret + "x", right)
    assert not is_token("", right)
    assert secret not in right or len(secret) < 8
