"""What Entra and the network refuse, in our words; the sentences are `advice`'s (facts: Graph §10.5, §10.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from msal.exceptions import MsalServiceError

from davbridge.errors import BadUpstream, BridgeError, Busy, ConfigError, NeedsSignIn
from davbridge.redact import redact
from davbridge.tokens import advice
from davbridge.tokens.advice import ADVICE, Mends
from davbridge.tokens.http import Nonsense
from davbridge.tokens.settings import AccountSettings

_UNAVAILABLE = re.compile(r"HTTP status: (408|429|5\d\d)\b")
"""In MSAL's words about a discovery document that did not come."""
_LONGEST = 600.0
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PASSING = ("temporarily_unavailable", "server_error", "slow_down")
_SETUP = ("invalid_client", "unauthorized_client", "invalid_scope", "invalid_request", "invalid_resource")


class Throttled(Busy):
    """Microsoft itself says when it may be asked again: `retry_after`, in seconds."""


class Challenged(NeedsSignIn):
    """`claims`: what Microsoft wants to be asked for in the next sign-in; empty for nothing special."""

    def __init__(self, message: str, claims: str = "") -> None:
        super().__init__(message)
        self.claims = claims


def failure(settings: AccountSettings, result: Mapping[str, Any], *, needs_person: bool) -> BridgeError:
    """The error for MSAL's failure dictionary. `needs_person`: whether a sign-in is something that can be done."""
    error, codes = str(result.get("error", "")), _codes(result)
    known = next((code for code in codes if code in ADVICE), None)
    if known is not None and ADVICE[known].mends is Mends.SIGN_IN and not needs_person:
        known = known if known in advice.FOR_APPS else None  # no login mends it: Microsoft's own words say more
    prefix = f"account {settings.name!r}: "
    if known is not None:
        found = ADVICE[known]
        told = f"{prefix}{_sentence(settings, known, needs_person=needs_person)} (AADSTS{known})"
        if found.mends is Mends.TIME:
            return Throttled(told, 300.0) if known == advice.LOOP else Busy(told)
        if found.mends is Mends.SETUP:
            return ConfigError(told)
        return Challenged(told, str(result.get("claims") or "")) if needs_person else ConfigError(told)
    description = str(result.get("error_description", ""))
    text = (
        description.split("\n", maxsplit=1)[0]
        .split(" Trace ID:", maxsplit=1)[0]
        .split(" Timestamp:", maxsplit=1)[0]
        .strip()
    )
    text = redact(text)[:300] or error or "no reason given"
    if error in _PASSING:
        return Busy(f"{prefix}the Microsoft sign-in service is unavailable for now")
    if error in _SETUP or not needs_person:
        return ConfigError(f"{prefix}Microsoft refuses the sign-in: {text}")
    return NeedsSignIn(f"{prefix}sign in again (`davbridge login {settings.name}`): {text}")


def _codes(result: Mapping[str, Any]) -> list[int]:
    """The AADSTS codes; in redirects and some answers they are in the text only."""
    codes = result.get("error_codes") or []
    listed = [int(code) for code in codes if str(code).isdigit()] if isinstance(codes, list) else []
    written = re.findall(r"AADSTS(\d{4,9})", str(result.get("error_description", "")))
    return [*listed, *(int(code) for code in written)]


def _sentence(settings: AccountSettings, code: int, *, needs_person: bool) -> str:
    words = {"name": settings.name, "client_id": settings.client_id, "tenant": settings.tenant}
    login = f"`davbridge login {settings.name}`"
    admin = advice.ADMIN_CONSENT.format(**words)
    consent = advice.CONSENT.format(**words, admin_consent=admin) if needs_person else admin
    if code == 7000215 and _looks_like_an_id(settings):
        return advice.NOT_A_VALUE
    if not needs_person and code in advice.FOR_APPS:
        return advice.FOR_APPS[code].format(**words)
    if settings.method == "browser" and code in advice.IN_A_BROWSER:
        return advice.IN_A_BROWSER[code].format(**words, login=login)
    return ADVICE[code].sentence.format(**words, login=login, consent=consent, admin_consent=admin)


def _looks_like_an_id(settings: AccountSettings) -> bool:
    try:
        return settings.client_secret is not None and bool(_GUID.fullmatch(settings.client_secret().reveal()))
    except ValueError:
        return False  # gone since it was sent


@contextmanager
def translated(settings: AccountSettings) -> Iterator[None]:
    """Turn what MSAL and its HTTP client raise into our errors, which name the host."""
    host = urlsplit(settings.authority).netloc
    prefix = f"account {settings.name!r}: "
    hint = ""
    if settings.method == "managed_identity":
        host, hint = "of this machine's managed identity", ": is this machine in Azure, and its identity switched on?"
    try:
        yield
    except requests.Timeout as error:
        raise Busy(f"{prefix}the sign-in service {host} does not answer") from error
    except requests.exceptions.SSLError as error:
        raise BadUpstream(f"{prefix}the certificate of {host} cannot be trusted") from error
    except requests.HTTPError as error:
        told = "" if error.response is None else error.response.headers.get("Retry-After", "")
        raise _unavailable(f"{prefix}the sign-in service {host} is unavailable for now", told) from error
    except MsalServiceError as error:
        raise Busy(f"{prefix}the sign-in service {host} is unavailable for now") from error
    except Nonsense as error:
        raise BadUpstream(f"{prefix}the sign-in service {host} answered nonsense") from error
    except requests.RequestException as error:
        raise BadUpstream(f"{prefix}the sign-in service {host} cannot be reached{hint}") from error
    except ValueError as error:
        raise _nonsense(settings, prefix, host, error, hint) from error
    except OSError as error:
        if error.errno is not None:
            raise  # the machine's; requests has no other word than this for a CA file that is not there
        raise ConfigError(
            f"{prefix}the CA file of the sign-in service {host} cannot be used: mend the file, or `ca_file` and "
            "REQUESTS_CA_BUNDLE that name it"
        ) from error


def _unavailable(told: str, retry_after: str) -> Busy:
    return Throttled(told, min(float(retry_after), _LONGEST)) if retry_after.isdigit() else Busy(told)


def _nonsense(settings: AccountSettings, prefix: str, host: str, error: ValueError, hint: str) -> BridgeError:
    """MSAL raises ValueError for an authority whose discovery document is missing or an error, and for non-JSON."""
    told = f"{error} {error.__context__}"
    if "AADSTS90002" in told or "invalid_tenant" in told:
        sentence = ADVICE[90002].sentence.format(tenant=settings.tenant)
        return ConfigError(f"{prefix}{sentence} (AADSTS90002)")
    if _UNAVAILABLE.search(told):
        return Busy(f"{prefix}the sign-in service {host} is unavailable for now")
    if settings.method != "managed_identity" and ("tenant" in str(error) or "authority" in str(error).lower()):
        return ConfigError(f"{prefix}{settings.authority} is not a sign-in authority: check `tenant`")
    return BadUpstream(f"{prefix}the sign-in service {host} answered nonsense{hint}")
