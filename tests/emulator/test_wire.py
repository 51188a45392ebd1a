"""What every answer has in common: headers, annotations, error objects, and who is asked first for a token."""

from __future__ import annotations

import base64
import http.client
import ssl
from urllib.parse import urlsplit

import pytest

from davbridge.emulator import Emulator
from davbridge.emulator.faults import Status
from tests.emulator.conftest import Api


def test_one_request_id(api: Api, business: str) -> None:
    """In the header and in the error; it is echoed where the client has named none of its own."""
    answer = api("GET", f"{business}/root:/none", 404)
    inner = answer.json()["error"]["innerError"]
    assert inner["request-id"] == answer.headers["request-id"]
    assert inner["client-request-id"] == answer.headers["client-request-id"] == answer.headers["request-id"]
    own = api("GET", f"{business}/root:/none", 404, headers={"client-request-id": "mine"})
    assert own.json()["error"]["innerError"]["client-request-id"] == "mine"


def test_faults_have_a_request_id(api: Api, emulator: Emulator, business: str) -> None:
    """As everything from Graph has."""
    emulator.faults.add("get item", Status(503))
    assert api("GET", f"{business}/root", 503).headers["request-id"]


def test_annotations(api: Api, emulator: Emulator, business: str) -> None:
    """Each body begins with its context."""
    api("PUT", f"{business}/root:/a.txt:/content", 201, data=b"x")
    site = api("GET", "/sites/contoso.sharepoint.com:/sites/team", 200).json()
    for url in (
        business,
        f"{business}/root",
        f"{business}/root/children",
        f"{business}/root/delta",
        f"{business}/root/delta?token=latest",
        f"{business}/root/search(q='a')",
        f"{business}/root/subscriptions/socketIo",
        "/me/drives",
        f"/sites/{site['id']}",
        f"/sites/{site['id']}/drives",
        "/sites?search=*",
    ):
        context = api("GET", url, 200).json()["@odata.context"]
        assert context.startswith(f"{emulator.graph_url}/$metadata#")
    session = api("POST", f"{business}/root:/b.txt:/createUploadSession", 200, json={}).json()
    assert session["@odata.context"].endswith("#microsoft.graph.uploadSession")


@pytest.mark.parametrize("path", ["/nonsense", "/root/nonsense", "/root:x"])
def test_the_token_comes_first(api: Api, business: str, path: str) -> None:
    """A stranger does not even learn that a URL is wrong."""
    api("GET", f"{business}{path}", 401, headers={"Authorization": "Bearer no"})
    api("GET", f"{business}{path}", 400)


@pytest.mark.parametrize(
    "path", ["root:/%FF", "root:/a%zz", 'root:/a"b', "root:/a^b", "root:/x/", "root:/x/:/children"]
)
def test_urls_that_are_not_well_encoded(api: Api, emulator: Emulator, business: str, path: str) -> None:
    """400, never a lost connection; a slash at the end of a path is one of them."""
    emulator.drive("business").mkdir("/x")
    parts = urlsplit(emulator.graph_url)
    context = ssl.create_default_context(cafile=emulator.ca_file)
    connection = http.client.HTTPSConnection(parts.netloc, context=context)
    connection.request("GET", f"{parts.path}{business}/{path}", headers={"Authorization": f"Bearer {api.token}"})
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize(
    "body", [{"parentReference": "x"}, {"name": 1}, {"fileSystemInfo": {"lastModifiedDateTime": 1}}]
)
def test_json_of_another_shape(api: Api, business: str, body: dict) -> None:
    """400 as well."""
    item = api("PUT", f"{business}/root:/a.txt:/content", 201, data=b"x").json()
    api("PATCH", f"{business}/items/{item['id']}", 400, json=body)


def test_search_gives_less_on_business(api: Api, drive: str) -> None:
    """The index leaves out who and where there."""
    api("PUT", f"{drive}/root:/d/needle.txt:/content", 201, data=b"x")
    (hit,) = api("GET", f"{drive}/root/search(q='needle')", 200).json()["value"]
    business = api("GET", drive, 200).json()["driveType"] != "personal"
    assert ("parentReference" in hit) == (not business)


def test_a_body_needs_a_length(api: Api, emulator: Emulator, business: str) -> None:
    """411 without one, chunked or not; nothing is stored."""
    parts = urlsplit(f"{emulator.graph_url}{business}/root:/a.txt:/content")
    context = ssl.create_default_context(cafile=emulator.ca_file)
    for more in ({}, {"Transfer-Encoding": "chunked"}):
        connection = http.client.HTTPSConnection(parts.netloc, context=context)
        connection.putrequest("PUT", parts.path)
        for name, value in {"Authorization": f"Bearer {api.token}", **more}.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 411
        connection.close()
    assert not emulator.drive("business").exists("/a.txt")


def test_head(api: Api, business: str) -> None:
    """The headers of the answer without its body; no change is made by it."""
    api("PUT", f"{business}/root:/a.txt:/content", 201, data=b"x")
    answer = api("HEAD", f"{business}/root:/a.txt", 200)
    assert not answer.content
    assert answer.headers["request-id"]


def test_shares(api: Api, business: str) -> None:
    """An item by the encoded form of its URL; what is no such form is not found."""
    item = api("PUT", f"{business}/root:/d/a%20b.txt:/content", 201, data=b"x").json()
    token = "u!" + base64.urlsafe_b64encode(item["webUrl"].encode()).decode().rstrip("=")
    assert api("GET", f"/shares/{token}/driveItem", 200).json()["id"] == item["id"]
    api("GET", f"/shares/{token}/driveItem/content", 302)
    api("GET", "/shares/nonsense/driveItem", 404)
    api("GET", "/shares/u!AAAA/driveItem", 404)
