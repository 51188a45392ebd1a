"""The HTTP session that MSAL is given: a timeout on all, the named CA file, and no password from a ~/.netrc.

What is no answer of a sign-in service is stopped here: MSAL would take a throttled request for a refusal, and log the
text of what it cannot read, which may be half a token.
"""

from __future__ import annotations

from typing import Any

import requests

from davbridge import deadline
from davbridge.clock import Clock

_TIMEOUT = 20.0
_SHORTEST = 1.0
_PASSING = (408, 429)
_MEANT = ("access_token", "user_code", "error")
"""One of these is a string in whatever Entra answers to a POST (facts: Graph §10.2, §10.5)."""


class Nonsense(requests.RequestException):
    """The answer is none of a sign-in service's. Nothing of it is in the message."""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Http:
    """A session for one account. No call outlasts the deadline in force by more than a second."""

    def __init__(self, verify: str | bool, clock: Clock) -> None:
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else a ~/.netrc would send its password to the sign-in service
        self._verify = verify
        self._clock = clock
        self._direct = False

    def get(self, url: str, **options: Any) -> requests.Response:
        response = self._session.get(url, **self._with(options))
        if self._direct and (response.status_code in (410, 429) or response.status_code >= 500):
            response.raise_for_status()  # MSAL would hand its body up as a refusal
        return response

    def post(self, url: str, **options: Any) -> requests.Response:
        response = self._session.post(url, **self._with(options))
        if response.status_code in _PASSING or response.status_code >= 500:
            raise requests.HTTPError(f"HTTP {response.status_code}", response=response)
        if not self._direct and not _is_meant(response):
            raise Nonsense
        return response

    def direct(self) -> None:
        """Ask no proxy: the identity endpoint of a machine is on the machine."""
        self._direct = True
        self._session.trust_env = False

    def _with(self, options: dict[str, Any]) -> dict[str, Any]:
        left = deadline.current(self._clock).remaining()
        options.setdefault("timeout", max(_SHORTEST, min(_TIMEOUT, left)))
        options.setdefault("allow_redirects", False)  # a 307 would take secret and refresh token to another host
        if self._verify is not True:
            # given with each request: REQUESTS_CA_BUNDLE would win over the session's own setting
            options["verify"] = self._verify
        return options

    def close(self) -> None:
        self._session.close()


def _is_meant(response: requests.Response) -> bool:
    try:
        content = response.json()
    except requests.exceptions.JSONDecodeError:
        return False
    return isinstance(content, dict) and any(isinstance(content.get(name), str) for name in _MEANT)
