"""The sign-in endpoints (facts: Graph §10)."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api


def token(api: Api, status: int, tenant: str = "contoso.onmicrosoft.com", **form: str) -> dict:
    """A token request."""
    form.setdefault("client_id", api.emulator.client_id)
    return api("POST", f"{api.emulator.login_url}/{tenant}/oauth2/v2.0/token", status, data=form).json()


SCOPE = "https://graph.microsoft.com/.default"


def test_discovery(api: Api, emulator: Emulator) -> None:
    """The endpoints of a known tenant; an unknown one is AADSTS90002."""
    path = "/v2.0/.well-known/openid-configuration"
    found = api("GET", f"{emulator.login_url}/{emulator.tenant}{path}", 200).json()
    assert {"authorization_endpoint", "token_endpoint", "issuer", "device_authorization_endpoint"} <= set(found)
    assert api("GET", f"{emulator.login_url}/none{path}", 400).json()["error_codes"] == [90002]


def test_client_credentials(api: Api, emulator: Emulator, business: str) -> None:
    """A token that works and expires; a wrong secret, client, scope and tenant each have their code."""
    good = {"grant_type": "client_credentials", "client_secret": emulator.client_secret, "scope": SCOPE}
    issued = token(api, 200, **good)["access_token"]
    headers = {"Authorization": f"Bearer {issued}"}
    api("GET", f"{business}/root", 200, headers=headers)
    emulator.clock.advance(5000)
    api("GET", f"{business}/root", 401, headers=headers)
    assert token(api, 401, **{**good, "client_secret": "no"})["error_codes"] == [7000215]
    assert token(api, 400, **{**good, "client_id": "no"})["error_codes"] == [700016]
    assert token(api, 400, **{**good, "scope": "Files.Read"})["error_codes"] == [1002012]
    assert token(api, 400, tenant="common", **good)["error_codes"] == [50059]


def test_device_code(api: Api, emulator: Emulator) -> None:
    """Pending, too fast, then a token with a refresh token that is rotated."""
    url = f"{emulator.login_url}/{emulator.tenant}/oauth2/v2.0/devicecode"
    assert api("POST", url, 400, data={"client_id": emulator.client_id}).json()["error_codes"] == [900144]
    scope = "Files.ReadWrite.All offline_access"
    flow = api("POST", url, 200, data={"client_id": emulator.client_id, "scope": scope}).json()
    assert flow["user_code"] in flow["message"]
    poll = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": flow["device_code"]}
    assert token(api, 400, **poll)["error"] == "authorization_pending"
    assert token(api, 400, **poll)["error"] == "slow_down"
    emulator.clock.advance(2)
    issued = token(api, 200, **poll)
    assert issued["scope"] == "Files.ReadWrite.All"
    assert token(api, 400, **poll)["error"] == "bad_verification_code"
    again = token(api, 200, grant_type="refresh_token", refresh_token=issued["refresh_token"])
    assert again["refresh_token"] != issued["refresh_token"]
    assert token(api, 400, grant_type="refresh_token", refresh_token="no")["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("state", "seconds", "error"), [("declined", 0, "authorization_declined"), ("", 1000, "expired_token")]
)
def test_device_codes_that_fail(api: Api, emulator: Emulator, state: str, seconds: int, error: str) -> None:
    """Declined, or too late."""
    url = f"{emulator.login_url}/{emulator.tenant}/oauth2/v2.0/devicecode"
    code = api("POST", url, 200, data={"client_id": emulator.client_id, "scope": "Files.Read"}).json()["device_code"]
    emulator.entra.devices[code].state = state
    emulator.clock.advance(seconds)
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    assert token(api, 400, grant_type=grant, device_code=code)["error"] == error


def test_authorization_code_with_pkce(api: Api, emulator: Emulator) -> None:
    """A code is good once, and only with its verifier."""
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = f"client_id={emulator.client_id}&response_type=code&redirect_uri=http://localhost/&state=s&nonce=n&scope=Files.ReadWrite"
    url = f"{emulator.login_url}/{emulator.tenant}/oauth2/v2.0/authorize?{query}"
    api("GET", url, 400)
    for other in ("https://example.com/", "http://localhost/path", "http://127.0.0.1:80/"):
        wrong = url.replace("http://localhost/", other) + f"&code_challenge={challenge}&code_challenge_method=S256"
        assert api("GET", wrong, 400).json()["error_codes"] == [50011]
    place = api("GET", f"{url}&code_challenge={challenge}&code_challenge_method=S256", 302).headers["Location"]
    code = parse_qs(urlsplit(place).query)["code"][0]
    form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost/", "code": code}
    tokens = token(api, 200, **form, code_verifier=verifier)
    assert "access_token" in tokens
    assert "refresh_token" not in tokens, "nobody has asked for offline_access"
    assert token(api, 400, **form, code_verifier=verifier)["error"] == "invalid_grant"


def test_claims_challenge(api: Api, emulator: Emulator, business: str) -> None:
    """Continuous access evaluation: 401 with the claims to ask for."""
    emulator.world.claims_challenge = base64.b64encode(b'{"access_token":{}}').decode()
    answer = api("GET", f"{business}/root", 401, headers={"Authorization": "Bearer none"})
    assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]
