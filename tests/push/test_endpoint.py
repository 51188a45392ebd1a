"""The endpoint that Graph calls, on the bridge's own server: what it answers to whom, and that it opens nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from davbridge.push import NotifyEndpoint, SubscriptionTable
from davbridge.push.table import Kept
from davbridge.redact import Secret
from tests.push.hook import NAME, Hook, beyond

STATE = "r1ght"
PLACE = f"/.davbridge/notify/{NAME}"


@pytest.fixture
def graph_calls(hook: Hook, table: SubscriptionTable) -> Iterator[requests.Session]:
    """A session that calls as Graph would; the name is known."""
    table.put(NAME, Kept(hook.url + PLACE, Secret(STATE)))
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"
        yield session


def notes(*states: object) -> bytes:
    """A notification with an entry for each state."""
    return json.dumps({"value": [{"subscriptionId": "1", "clientState": state} for state in states]}).encode()


@pytest.mark.parametrize("token", ["Validation: x 1+2 %41", "a" * 2048, "ü"])
def test_handshake(hook: Hook, graph_calls: requests.Session, token: str) -> None:
    """The token, decoded, as plain text; it tells of no change."""
    answer = graph_calls.post(hook.url + PLACE, params={"validationToken": token})
    assert (answer.status_code, answer.content.decode()) == (200, token)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert hook.told == []


def test_a_token_that_is_none(hook: Hook, graph_calls: requests.Session) -> None:
    """Markup is escaped; control characters and floods are refused."""
    answer = graph_calls.post(hook.url + PLACE, params={"validationToken": "<script>"})
    assert answer.text == "&lt;script&gt;"
    for token in ("a\r\nX: y", "\0", "a" * 2049):
        answer = graph_calls.post(hook.url + PLACE, params={"validationToken": token})
        assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("states", [[STATE], [None, "wrong", STATE]])
def test_notification(hook: Hook, graph_calls: requests.Session, states: list[object]) -> None:
    """One with the right clientState is enough; it is told once."""
    answer = graph_calls.post(hook.url + PLACE, data=notes(*states))
    assert (answer.status_code, answer.content) == (202, b"")
    hook.wait()
    assert hook.told == [NAME]


FORGED = [
    notes("wrong"),
    notes(None, 7, {}, [STATE], "", "\ud800", STATE.upper()),
    notes(),
    b"",
    b"no JSON",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'{"value":null}',
    b'{"value":["r1ght"]}',
    b'{"value":{"clientState":"r1ght"}}',
    b'{"value":' + b"[" * 100_000,
    b'{"value":' + b"9" * 10_000 + b"}",
]


@pytest.mark.parametrize("body", FORGED, ids=range(len(FORGED)))
def test_forged(hook: Hook, graph_calls: requests.Session, body: bytes) -> None:
    """The same answer as to a true one, and nothing happens."""
    answer = graph_calls.post(hook.url + PLACE, data=body)
    assert (answer.status_code, answer.content, hook.told) == (202, b"", [])


def test_a_large_body(hook: Hook, graph_calls: requests.Session) -> None:
    """Is not read to its end, of whatever framing."""
    big = notes(STATE) + b" " * (1 << 20)
    assert graph_calls.post(hook.url + PLACE, data=big).status_code == 413
    assert graph_calls.post(hook.url + PLACE, data=iter([big])).status_code == 413
    assert hook.told == []
    graph_calls.post(hook.url + PLACE, data=iter([notes(STATE)]))
    assert hook.told == [NAME]


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "PROPFIND", "DELETE"])
def test_other_methods(hook: Hook, graph_calls: requests.Session, method: str) -> None:
    """There is nothing for them."""
    assert graph_calls.request(method, hook.url + PLACE).status_code == 404


@pytest.mark.parametrize("query", ["", "?validationToken=x"])
def test_unknown_names(hook: Hook, graph_calls: requests.Session, query: str) -> None:
    """404, with nothing of the request in the answer."""
    answer = graph_calls.post(f"{hook.url}{PLACE[:-1]}X{query}", data=notes(STATE))
    assert (answer.status_code, answer.content, hook.told) == (404, b"", [])


@pytest.mark.parametrize(
    "path",
    [
        "/", "/me/", "/.davbridge", "/.davbridge/notify", "/.davbridge/notify/", f"{PLACE}/", f"{PLACE}/../../me",
        f"/me{PLACE}", f"/{PLACE}", f"{PLACE}%0a", "/.davbridge/notify/../x", "/.davbridge/notify/%2e%2e",
        "/.DAVBRIDGE/notify/x", f"{PLACE};x", "/.davbridge/notify/" + "a" * 65,
    ],
)  # fmt: skip
def test_everything_else_goes_to_the_gate(hook: Hook, graph_calls: requests.Session, path: str) -> None:
    """Also what looks alike."""
    address = urlsplit(hook.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"401"


def test_a_file_that_cannot_be_touched(table: SubscriptionTable, caplog: pytest.LogCaptureFixture) -> None:
    """503: Graph sends it again."""
    table.put(NAME, Kept(PLACE, Secret(STATE)))

    def changed(name: str) -> None:
        raise OSError("no space")

    status = _call(NotifyEndpoint(beyond, table, changed), _Body(notes(STATE)))
    assert status.startswith("503")
    assert "no space" in caplog.text


def test_many_at_once(table: SubscriptionTable) -> None:
    """Those that come while eight bodies trickle in are sent away: they must not hold all threads."""
    table.put(NAME, Kept(PLACE, Secret(STATE)))
    endpoint = NotifyEndpoint(beyond, table, lambda name: None)
    statuses: list[str] = []

    class Nested(_Body):
        def read(self, size: int) -> bytes:
            if "503 Service Unavailable" not in statuses:
                statuses.append(_call(endpoint, Nested(notes(STATE))))
            return super().read(size)

    assert _call(endpoint, Nested(notes(STATE))).startswith("202")
    assert [status[:3] for status in statuses] == ["503"] + ["202"] * 7


class _Body:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


def _call(endpoint: NotifyEndpoint, body: _Body) -> str:
    told: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": PLACE, "QUERY_STRING": "", "wsgi.input": body}
    list(endpoint(environ, lambda status, headers: told.append(status)))
    return told[0]
