"""What MSAL and Entra refuse, as our errors."""

from __future__ import annotations

import pytest
import requests
from msal.exceptions import MsalServiceError

from davbridge.errors import BadUpstream, BridgeError, Busy, ConfigError, NeedsSignIn
from davbridge.redact import Secret
from davbridge.tokens import METHODS, AccountSettings
from davbridge.tokens.advice import ADVICE, Mends
from davbridge.tokens.failures import Throttled, failure, translated
from davbridge.tokens.http import Nonsense

THROTTLED = requests.Response()
THROTTLED.status_code = 429
THROTTLED.headers["Retry-After"] = "77"
AUTHORITY = "https://login.microsoftonline.com/contoso"
MSAL = "Unable to get authority configuration for https://login/x. Authority would typically be …"
GUID = "11111111-2222-3333-4444-555555555555"


def settings(method: str = "device_code", secret: str = "value") -> AccountSettings:
    """An account named `work`."""
    return AccountSettings("work", GUID, AUTHORITY, ("x",), method, lambda: Secret(secret))  # type: ignore[arg-type]


def raised(error: Exception) -> Exception:
    """What `translated` makes of an error."""
    with pytest.raises(BridgeError) as caught, translated(settings()):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (requests.Timeout(), Busy, "login.microsoftonline.com does not answer"),
        (requests.exceptions.SSLError(), BadUpstream, "certificate of login.microsoftonline.com"),
        (requests.HTTPError("503 Server Error"), Busy, "unavailable"),
        (requests.HTTPError("429", response=THROTTLED), Throttled, "unavailable"),
        (Nonsense(), BadUpstream, "nonsense"),
        (MsalServiceError("503", error="", error_description=""), Busy, "unavailable"),
        (requests.ConnectionError(), BadUpstream, "login.microsoftonline.com cannot be reached"),
        (ValueError(f"{MSAL} Error: AADSTS90002: Tenant not found"), ConfigError, "there is no tenant contoso"),
        (ValueError(MSAL), ConfigError, "not a sign-in authority"),
        (ValueError("Expecting value: line 1"), BadUpstream, "nonsense"),
        (OSError("Could not find a suitable TLS CA certificate bundle"), ConfigError, "`ca_file` and REQUESTS_CA_BUND"),
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
        ({"error": "temporarily_unavailable"}, Busy, "unavailable"),
        ({"error": "server_error", "error_codes": [90033]}, Busy, "unavailable"),
        ({"error": "invalid_scope", "error_description": "AADSTS1: no.\r\nTrace ID: 1"}, ConfigError, "AADSTS1: no."),
        ({"error": "invalid_grant", "error_description": "AADSTS50173: revoked"}, NeedsSignIn, "davbridge login work"),
        ({"error": "invalid_grant", "error_description": "AADSTS99: new"}, NeedsSignIn, "davbridge login work"),
    ],
)
def test_what_entra_refuses(result: dict[str, object], expected: type[Exception], words: str) -> None:
    """A refusal says who can mend it; only what a sign-in mends asks for one."""
    told = failure(settings(), result, needs_person=True)
    assert isinstance(told, expected)
    assert words in str(told)
    assert "Trace ID" not in str(told)


CASES = [
    ("secret id pasted", 7000215, "client_secret", "looks like a secret's ID", ConfigError),
    ("wrong secret", 7000215, "client_secret", "make a new one", ConfigError),
    ("secret expired", 7000222, "client_secret", "has expired", ConfigError),
    ("wrong account types", 9002332, "device_code", "Supported account types", ConfigError),
    ("one tenant only", 50194, "device_code", "Supported account types", ConfigError),
    ("redirect URI missing", 50011, "browser", "add the platform", ConfigError),
    ("public client flows off", 7000218, "device_code", "Allow public client flows", ConfigError),
    ("consent missing, person", 65001, "device_code", "davbridge login work", NeedsSignIn),
    ("consent missing, app", 65001, "client_secret", "Grant admin consent", ConfigError),
    ("admin consent missing", 90094, "device_code", "Grant admin consent", NeedsSignIn),
    ("conditional access", 53003, "device_code", "conditional access policy", NeedsSignIn),
    ("unmanaged device", 53000, "device_code", "only devices that it manages", NeedsSignIn),
    ("second factor", 50076, "device_code", "second factor", NeedsSignIn),
    ("password changed", 50173, "device_code", "revoked", NeedsSignIn),
    ("90 days of silence", 700082, "device_code", "90 days", NeedsSignIn),
    ("conditional access, browser", 53003, "browser", "lets the app", NeedsSignIn),
    ("conditional access, app", 53003, "client_secret", "the address of this machine", ConfigError),
    ("device removed", 700003, "device_code", "on another one", NeedsSignIn),
    ("nobody typed the code", 70016, "device_code", "15 minutes were over", NeedsSignIn),
    ("certificate not authorised", 50012, "certificate", "compare the thumbprints", ConfigError),
    ("wrong certificate", 700027, "certificate", "compare the thumbprints", ConfigError),
    ("wrong federated token", 700213, "workload_identity", "Federated credentials", ConfigError),
    ("other cloud", 90038, "device_code", "another cloud", ConfigError),
]


@pytest.mark.parametrize(("name", "code", "method", "words", "kind"), CASES, ids=[case[0] for case in CASES])
def test_each_trouble_is_told_apart(name: str, code: int, method: str, words: str, kind: type[Exception]) -> None:
    """What happened, who can mend it, what to type: in one sentence that no other trouble has."""
    told = failure(
        settings(method, GUID if name == "secret id pasted" else "value"),
        {"error": "invalid_client", "error_codes": [code]},
        needs_person=METHODS[method].needs_person,  # type: ignore[index]
    )
    assert isinstance(told, kind)
    assert words in str(told)
    assert f"AADSTS{code}" in str(told)
    assert "'work'" in str(told)
    assert method != "browser" or "sign_in: browser" not in str(told), "no way out: it is in use"
    assert "value" not in str(told).replace("Value", "")


@pytest.mark.parametrize("code", sorted(ADVICE))
def test_each_sentence_is_whole(code: int) -> None:
    """No template is left open, each is one line, and what a sign-in mends names the command, to a person alone."""
    for method in ("device_code", "client_secret"):
        told = failure(settings(method), {"error_codes": [code]}, needs_person=method == "device_code")
        assert "{" not in str(told)
        assert "\n" not in str(told)
        assert method == "device_code" or "davbridge login" not in str(told)
        if ADVICE[code].mends is Mends.SIGN_IN and method == "device_code":
            assert "davbridge login work" in str(told)


def test_a_code_in_the_text_alone() -> None:
    """A redirect has no list of codes: the description is read."""
    told = failure(
        settings("browser"), {"error": "access_denied", "error_description": "AADSTS65004: declined"}, needs_person=True
    )
    assert "the person declined" in str(told)


def test_an_unknown_text_is_redacted() -> None:
    """Microsoft's own words are shown where we have none, but no token that may be in them."""
    text = "AADSTS1: refresh_token=0.Rplanted is bad"
    told = failure(settings(), {"error": "invalid_grant", "error_description": text}, needs_person=True)
    assert "planted" not in str(told)
