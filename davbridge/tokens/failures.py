"""What Entra refuses, in our words: one table from AADSTS codes to errors and advice (facts: Graph §10.5, §10.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from davbridge.errors import BadUpstream, BridgeError, Busy, ConfigError, NeedsSignIn

_UNAVAILABLE = re.compile(r"HTTP status: (408|429|5\d\d)\b")
"""In MSAL's words about a discovery document that did not come."""

_CONFIGURATION = {
    7000215: "the client secret is wrong: use the secret's value, not its id",
    7000222: "the client secret has expired: make a new one in the app registration",
    7000218: "the app registration must allow public client flows for device code sign-in",
    700016: "no application with this client_id exists in the tenant",
    90002: "no such tenant",
    50059: "the tenant must be named: `common` has no application sign-in",
    500011: "the Graph host does not belong to this tenant: check `cloud`",
    50194: "the app registration is for one tenant only: name the tenant instead of `common`",
    65001: "an administrator must consent to the app's permissions",
    1002012: "the scope is wrong: check `cloud`",
}


def failure(account: str, result: Mapping[str, Any]) -> BridgeError:
    """The error for MSAL's failure dictionary."""
    error = str(result.get("error", ""))
    codes = result.get("error_codes") or []
    text = str(result.get("error_description", "")).split("\n")[0].split(" Trace ID:")[0].split(" Timestamp:")[0]
    for code in codes:
        if code in _CONFIGURATION:
            return ConfigError(f"account {account!r}: {_CONFIGURATION[code]} (AADSTS{code})")
    if error == "temporarily_unavailable" or any(code in (90033, 90024) for code in codes):
        return Busy(f"account {account!r}: the Microsoft sign-in service is unavailable for now")
    if error in ("invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"):
        return ConfigError(f"account {account!r}: Microsoft refuses the sign-in: {text or error}")
    return NeedsSignIn(f"account {account!r} must sign in again (`davbridge login {account}`): {text or error}")


@contextmanager
def translated(account: str, authority: str) -> Iterator[None]:
    """Turn what MSAL and its HTTP client raise into our errors, which name the host."""
    host = urlsplit(authority).netloc
    try:
        yield
    except requests.Timeout as error:
        raise Busy(f"account {account!r}: the sign-in service {host} does not answer") from error
    except requests.exceptions.SSLError as error:
        raise BadUpstream(f"account {account!r}: the certificate of {host} cannot be trusted") from error
    except requests.HTTPError as error:
        # MSAL raises it for a 5xx of the token endpoint
        raise Busy(f"account {account!r}: the sign-in service {host} is unavailable for now") from error
    except requests.RequestException as error:
        raise BadUpstream(f"account {account!r}: the sign-in service {host} cannot be reached") from error
    except ValueError as error:
        # MSAL raises ValueError for an authority whose discovery document is missing or an error
        told = f"{error} {error.__context__}"
        if "AADSTS90002" in told or "invalid_tenant" in told:
            raise ConfigError(f"account {account!r}: no such tenant (AADSTS90002); check `tenant`") from error
        if _UNAVAILABLE.search(told):
            raise Busy(f"account {account!r}: the sign-in service {host} is unavailable for now") from error
        if "tenant" in str(error) or "authority" in str(error).lower():
            raise ConfigError(f"account {account!r}: {authority} is not a sign-in authority: check `tenant`") from error
        raise BadUpstream(f"account {account!r}: the sign-in service {host} answered nonsense") from error
