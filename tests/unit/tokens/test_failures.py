"""What MSAL and Entra refuse, as our errors."""

from __future__ import annotations

import pytest
import requests

from davbridge.errors import BadUpstream, BridgeError, Busy, ConfigError, NeedsSignIn
from davbridge.tokens.failures import failure, translated

AUTHORITY = "https://login.microsoftonline.com/contoso"
MSAL = "Unable to get authority configuration for https://login/x. Authority would typically be …"


def raised(error: Exception) -> Exception:
    """What `translated` makes of an error."""
    with pytest.raises(BridgeError) as caught, translated("contoso", AUTHORITY):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (requests.Timeout(), Busy, "login.microsoftonline.com does not answer"),
        (requests.exceptions.SSLError(), BadUpstream, "certificate of login.microsoftonline.com"),
        (requests.HTTPError("503 Server Error"), Busy, "unavailable"),
        (requests.ConnectionError(), BadUpstream, "login.microsoftonline.com cannot be reached"),
        (ValueError(f"{MSAL} Error: AADSTS90002: Tenant not found"), ConfigError, "no such tenant"),
        (ValueError(MSAL), ConfigError, "not a sign-in authority"),
        (ValueError("Expecting value: line 1"), BadUpstream, "nonsense"),
    ],
)
def test_what_msal_raises(error: Exception, expected: type[Exception], words: str) -> None:
    """Each trouble of MSAL's HTTP has a class and words of its own."""
    told = raised(error)
    assert type(told) is expected
    assert words in str(told)


def test_throttled_discovery() -> None:
    """A throttled discovery is no wrong tenant, although MSAL says the same of both."""
    cause = ValueError("OIDC Discovery failed on https://login/x. HTTP status: 429, Error: {}")
    outer = ValueError(MSAL)
    outer.__context__ = cause
    assert type(raised(outer)) is Busy


@pytest.mark.parametrize(
    ("result", "expected", "words"),
    [
        ({"error": "invalid_client", "error_codes": [7000215]}, ConfigError, "secret's value, not its id"),
        ({"error": "temporarily_unavailable"}, Busy, "unavailable"),
        ({"error": "server_error", "error_codes": [90033]}, Busy, "unavailable"),
        ({"error": "invalid_scope", "error_description": "AADSTS1: no.\r\nTrace ID: 1"}, ConfigError, "AADSTS1: no."),
        ({"error": "invalid_grant", "error_description": "AADSTS50173: revoked"}, NeedsSignIn, "davbridge login"),
    ],
)
def test_what_entra_refuses(result: dict[str, object], expected: type[Exception], words: str) -> None:
    """A refusal says who can mend it; only what a sign-in mends asks for one."""
    told = failure("contoso", result)
    assert type(told) is expected
    assert words in str(told)
    assert "Trace ID" not in str(told)
