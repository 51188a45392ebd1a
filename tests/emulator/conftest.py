"""An emulator of its own, and a bare HTTP client that knows nothing but URLs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from davbridge.emulator import Emulator


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One emulator for the folder."""
    with Emulator.start() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """It, emptied."""
    running_emulator.reset()
    return running_emulator


@dataclass
class Api:
    """`api("GET", "/drives/…", 200)`: relative to the Graph base, with a token; absolute URLs without one."""

    emulator: Emulator
    session: requests.Session
    token: str

    def __call__(self, method: str, url: str, status: int | None = None, **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if url.startswith("/"):
            url = self.emulator.graph_url + url
            headers.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.session.request(
            method, url, headers=headers, verify=self.emulator.ca_file, allow_redirects=False, timeout=30, **options
        )
        if status is not None:
            assert answer.status_code == status, f"{method} {url}: {answer.status_code} {answer.text[:300]}"
        return answer


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    """A client with the user's token."""
    with requests.Session() as session:
        yield Api(emulator, session, emulator.access_token())


@pytest.fixture(params=["business", "documents", "personal", "personal-migrated"])
def drive(request: pytest.FixtureRequest, emulator: Emulator) -> str:
    """The URL of each kind of drive."""
    return f"/drives/{emulator.drive(request.param).id}"


@pytest.fixture
def business(emulator: Emulator) -> str:
    """The URL of the business drive."""
    return f"/drives/{emulator.drive('business').id}"


@pytest.fixture
def personal(emulator: Emulator) -> str:
    """The URL of the classic personal drive."""
    return f"/drives/{emulator.drive('personal').id}"
