"""The HTTP session that MSAL is given: a timeout on all, the named CA file, and no password from a ~/.netrc."""

from __future__ import annotations

from typing import Any

import requests

from davbridge import deadline
from davbridge.clock import Clock

_TIMEOUT = 20.0
_SHORTEST = 1.0


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
        return self._session.post(url, **self._with(options))

    def direct(self) -> None:
        """Ask no proxy: the identity endpoint of a machine is on the machine."""
        self._direct = True
        self._session.trust_env = False

    def _with(self, options: dict[str, Any]) -> dict[str, Any]:
        left = deadline.current(self._clock).remaining()
        options.setdefault("timeout", max(_SHORTEST, min(_TIMEOUT, left)))
        if self._verify is not True:
            # given with each request: REQUESTS_CA_BUNDLE would win over the session's own setting
            options["verify"] = self._verify
        return options

    def close(self) -> None:
        self._session.close()
