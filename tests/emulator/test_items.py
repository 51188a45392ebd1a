"""Items: addressing, listing, creating, changing, copying (facts: Graph §1–§4, check-list §13)."""

from __future__ import annotations

import time

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api


def put(api: Api, drive: str, path: str, data: bytes = b"x", status: int = 201) -> dict:
    """Store a small file by path."""
    return api("PUT", f"{drive}/root:/{path}:/content", status, data=data).json()


def code(answer) -> str:
    """The error's code."""
    return answer.json()["error"]["code"]


def test_needs_a_token(api: Api, business: str) -> None:
    """Without a good token everything is 401, with a challenge and an error object."""
    for token in ("", "nonsense"):
        answer = api("GET", f"{business}/root", 401, headers={"Authorization": f"Bearer {token}"})
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert code(answer) == "InvalidAuthenticationToken"


def test_headers_on_everything(api: Api, business: str) -> None:
    """request-id, the client's own id echoed, and OData-Version."""
    answer = api("GET", f"{business}/root", 200, headers={"client-request-id": "abc"})
    assert answer.headers["client-request-id"] == "abc"
    assert answer.headers["request-id"]
    assert answer.headers["OData-Version"] == "4.0"


def test_addressing(api: Api, drive: str) -> None:
    """By id, by path, by path below an item, in any case, and composed or decomposed."""
    item = put(api, drive, "A%20b/caf%C3%A9.txt")
    root = api("GET", f"{drive}/root", 200).json()
    for url in (
        f"{drive}/items/{item['id']}",
        f"{drive}/root:/a%20B/CAF%C3%89.TXT",
        f"{drive}/root:/A%20b/cafe%CC%81.txt:",
        f"{drive}/items/{root['id']}:/A%20b/caf%C3%A9.txt",
        f"{drive}/items/{item['parentReference']['id']}:/caf%C3%A9.txt",
    ):
        assert api("GET", url, 200).json()["id"] == item["id"]


@pytest.mark.parametrize("path", ["root:/a/:/children", "root:/:/children", "root:x", "nonsense"])
def test_malformed_addresses(api: Api, business: str, path: str) -> None:
    """A slash before the colon, an empty path with an action, no slash after the colon."""
    api("GET", f"{business}/{path}", 400)


def test_missing(api: Api, drive: str) -> None:
    """404 with Graph's own error object."""
    answer = api("GET", f"{drive}/root:/none.txt", 404)
    assert code(answer) == "itemNotFound"
    assert answer.json()["error"]["innerError"]["request-id"]


def test_tags_by_profile(api: Api, emulator: Emulator) -> None:
    """Quotes in the value on SharePoint's backend, bare on classic personal drives; no cTag for business folders."""
    for name in ("business", "documents", "personal-migrated"):
        item = put(api, f"/drives/{emulator.drive(name).id}", "a/b.txt")
        assert item["eTag"].startswith('"{')
        assert item["cTag"].startswith('"c:{')
    drive = f"/drives/{emulator.drive('business').id}"
    assert "cTag" not in api("GET", f"{drive}/root:/a", 200).json()
    classic = put(api, f"/drives/{emulator.drive('personal').id}", "b.txt")
    assert classic["eTag"].startswith("a")
    assert "!" in classic["id"]


def test_content_moves_both_tags_and_metadata_one(api: Api, drive: str) -> None:
    """cTag follows the content, eTag everything."""
    first = put(api, drive, "a.txt", b"1")
    second = put(api, drive, "a.txt", b"2", 200)
    third = api("PATCH", f"{drive}/items/{first['id']}", 200, json={"name": "b.txt"}).json()
    assert first["cTag"] != second["cTag"] == third["cTag"]
    assert len({item["eTag"] for item in (first, second, third)}) == 3


def test_pages(api: Api, emulator: Emulator) -> None:
    """200 by default, at most 1,000, a nextLink until the end, and nothing twice."""
    state = emulator.drive("business")
    for number in range(450):
        state.put(f"/many/{number:03}.txt", b"")
    url = f"/drives/{state.id}/root:/many:/children"
    sizes, names = [], []
    page = api("GET", url, 200).json()
    while True:
        sizes.append(len(page["value"]))
        names += [item["name"] for item in page["value"]]
        if "@odata.nextLink" not in page:
            break
        page = api("GET", page["@odata.nextLink"].removeprefix(emulator.graph_url), 200).json()
    assert sizes == [200, 200, 50]
    assert len(set(names)) == 450
    assert len(api("GET", url + "?$top=5000", 200).json()["value"]) == 450
    inline = api("GET", f"/drives/{state.id}/root:/many?$expand=children", 200).json()
    assert len(inline["children"]) == 200
    assert inline["children@odata.nextLink"]


@pytest.mark.parametrize("query", ["$skip=1", "$filter=size gt 1", "$orderby=size", "$top=0", "$top=x", "$skiptoken=!"])
def test_bad_queries(api: Api, business: str, query: str) -> None:
    """What the service does not take."""
    api("GET", f"{business}/root/children?{query}", 400)


def test_select(api: Api, business: str) -> None:
    """The download URL comes unless $select leaves it out."""
    put(api, business, "a.txt")
    url = f"{business}/root:/a.txt"
    annotation = "@microsoft.graph.downloadUrl"
    assert annotation in api("GET", url, 200).json()
    assert set(api("GET", url + "?$select=id,name", 200).json()) == {"@odata.context", "id", "name"}
    assert annotation in api("GET", f"{url}?$select=id,{annotation}", 200).json()


@pytest.mark.parametrize(
    "name",
    [
        "a%22b",
        "a*b",
        "a%3Fb",
        "a%3Cb",
        "%20a",
        "a%20",
        "a.",
        "CON",
        "LPT1",
        ".lock",
        "desktop.ini",
        "~$a.docx",
        "x" * 256,
    ],
)
def test_forbidden_names(api: Api, drive: str, name: str) -> None:
    """400 with inner code invalidPath."""
    answer = api("PUT", f"{drive}/root:/{name}:/content", 400, data=b"x")
    assert answer.json()["error"]["innerError"]["code"] == "invalidPath"


def test_create_folder(api: Api, drive: str) -> None:
    """201; 409 for a name that is taken, in any case; 404 without a parent; rename gives a free name."""
    url = f"{drive}/root/children"
    assert api("POST", url, 201, json={"name": "F", "folder": {}}).json()["folder"] == {"childCount": 0}
    assert code(api("POST", url, 409, json={"name": "f", "folder": {}})) == "nameAlreadyExists"
    again = {"name": "F", "folder": {}, "@microsoft.graph.conflictBehavior": "rename"}
    assert api("POST", url, 201, json=again).json()["name"] == "F 1"
    api("POST", f"{drive}/root:/none:/children", 404, json={"name": "x", "folder": {}})


def test_rename_and_move(api: Api, drive: str) -> None:
    """409 onto a name that is taken, one call with replace; a case-only rename; never below itself."""
    a, b = put(api, drive, "a.txt", b"a"), put(api, drive, "d/b.txt", b"b")
    folder = b["parentReference"]["id"]
    target = {"name": "b.txt", "parentReference": {"id": folder}}
    assert code(api("PATCH", f"{drive}/items/{a['id']}", 409, json=target)) == "nameAlreadyExists"
    replace = {**target, "@microsoft.graph.conflictBehavior": "replace"}
    assert api("PATCH", f"{drive}/items/{a['id']}", 200, json=replace).json()["id"] == a["id"]
    api("GET", f"{drive}/items/{b['id']}", 404)
    assert api("PATCH", f"{drive}/items/{a['id']}", 200, json={"name": "B.txt"}).json()["name"] == "B.txt"
    api("PATCH", f"{drive}/items/{folder}", 400, json={"parentReference": {"id": folder}})
    api("PATCH", f"{drive}/items/{a['id']}", 404, json={"parentReference": {"id": "root"}})


def test_move_between_drives(api: Api, emulator: Emulator, business: str) -> None:
    """Is not possible."""
    item = put(api, business, "a.txt")
    other = {"parentReference": {"driveId": emulator.drive("documents").id, "id": "x"}}
    api("PATCH", f"{business}/items/{item['id']}", 400, json=other)


def test_times_make_versions_on_business_only(api: Api, emulator: Emulator) -> None:
    """Setting fileSystemInfo is a version of its own there."""
    times = {"fileSystemInfo": {"lastModifiedDateTime": "2020-02-03T04:05:06Z"}}
    for name, versions in (("business", 2), ("personal", 1)):
        drive = f"/drives/{emulator.drive(name).id}"
        item = put(api, drive, "a.txt")
        changed = api("PATCH", f"{drive}/items/{item['id']}", 200, json=times).json()
        assert changed["fileSystemInfo"]["lastModifiedDateTime"].startswith("2020-02-03T04:05:06")
        assert len(api("GET", f"{drive}/items/{item['id']}/versions", 200).json()["value"]) == versions


def test_delete(api: Api, drive: str) -> None:
    """A tree in one call, and gone; the root never."""
    put(api, drive, "d/e/a.txt")
    api("DELETE", f"{drive}/root:/d", 204)
    api("GET", f"{drive}/root:/d/e/a.txt", 404)
    api("DELETE", f"{drive}/root", 403)


def test_if_match(api: Api, drive: str) -> None:
    """412 for another tag, 400 for one without quotes, and DELETE never takes one."""
    item = put(api, drive, "a.txt")
    url = f"{drive}/items/{item['id']}"
    quoted = item["eTag"] if item["eTag"].startswith('"') else f'"{item["eTag"]}"'
    api("PATCH", url, 412, json={"name": "b.txt"}, headers={"If-Match": '"other"'})
    api("PATCH", url, 400, json={"name": "b.txt"}, headers={"If-Match": "bare"})
    api("PATCH", url, 200, json={"name": "b.txt"}, headers={"If-Match": quoted})
    api("DELETE", url, 412, headers={"If-Match": quoted})


def test_copy(api: Api, drive: str) -> None:
    """202 and a monitor that needs no token; the copy is there when it says so, with a time of its own."""
    item = put(api, drive, "d/a.txt", b"content")
    folder = item["parentReference"]["id"]
    answer = api("POST", f"{drive}/items/{folder}/copy", 202, json={"name": "copy"})
    monitor = answer.headers["Location"]
    deadline = time.monotonic() + 10
    while (state := api("GET", monitor).json())["status"] in ("notStarted", "inProgress"):
        assert time.monotonic() < deadline
    assert state["status"] == "completed"
    assert api("GET", f"{drive}/items/{state['resourceId']}:/a.txt", 200).json()["size"] == 7


def test_failed_copy_is_told_with_200(api: Api, emulator: Emulator, business: str) -> None:
    """The monitor of a failed copy answers 200 (!), the name being taken is seen there only."""
    item = put(api, business, "a.txt")
    put(api, business, "b.txt")
    emulator.quirks.copy_seconds = 0
    monitor = api("POST", f"{business}/items/{item['id']}/copy", 202, json={"name": "b.txt"}).headers["Location"]
    state = api("GET", monitor, 200).json()
    assert (state["status"], state["error"]["code"]) == ("failed", "nameAlreadyExists")


def test_site(api: Api, emulator: Emulator) -> None:
    """A site by host and path, its libraries, and what is not there."""
    site = api("GET", "/sites/contoso.sharepoint.com:/sites/team", 200).json()
    names = [drive["name"] for drive in api("GET", f"/sites/{site['id']}/drives", 200).json()["value"]]
    assert names == ["Documents", "Archive"]
    api("GET", "/sites/contoso.sharepoint.com:/sites/none", 404)
    assert api("GET", f"/sites/{site['id']}/drive", 200).json()["driveType"] == "documentLibrary"


def test_me_needs_a_person(api: Api, emulator: Emulator) -> None:
    """An application's own token has no /me."""
    assert api("GET", "/me/drive", 200).json()["driveType"] == "business"
    api("GET", "/me/drive", 400, headers={"Authorization": f"Bearer {emulator.entra.issue('')}"})


def test_batch(api: Api, business: str) -> None:
    """Each answered by itself; a failed predecessor is 424; 21 are too many, and so are two of one id."""
    requests = [
        {"id": "1", "method": "GET", "url": f"{business}/root"},
        {"id": "2", "method": "GET", "url": f"{business}/root:/none"},
        {"id": "3", "method": "GET", "url": f"{business}/root", "dependsOn": ["2"]},
    ]
    answers = api("POST", "/$batch", 200, json={"requests": requests}).json()["responses"]
    assert {answer["id"]: answer["status"] for answer in answers} == {"1": 200, "2": 404, "3": 424}
    api("POST", "/$batch", 400, json={"requests": [requests[0], requests[0]]})
    many = [{**requests[0], "id": str(number)} for number in range(21)]
    api("POST", "/$batch", 400, json={"requests": many})


def test_delta(api: Api, emulator: Emulator, business: str) -> None:
    """Everything, then only changes, without paths; a tombstone without a name; 410 for an old token."""
    item = put(api, business, "d/a.txt")
    first = api("GET", f"{business}/root/delta", 200).json()
    assert {one["name"] for one in first["value"]} == {"root", "d", "a.txt"}
    assert all("path" not in one["parentReference"] for one in first["value"])
    link = first["@odata.deltaLink"].removeprefix(emulator.graph_url)
    assert api("GET", link, 200).json()["value"] == []
    api("DELETE", f"{business}/items/{item['id']}", 204)
    gone = next(one for one in api("GET", link, 200).json()["value"] if "deleted" in one)
    assert gone["id"] == item["id"]
    assert "name" not in gone
    emulator.drive("business").expire_delta()
    old = api("GET", link, 410)
    assert old.headers["Location"]
    assert code(old) == "resyncRequired"


def test_checkout(api: Api, business: str, personal: str) -> None:
    """Business only; a check-in needs a checkout."""
    url = f"{business}/items/{put(api, business, 'a.txt')['id']}"
    api("POST", f"{url}/checkin", 409, json={})
    api("POST", f"{url}/checkout", 204)
    api("POST", f"{url}/checkin", 204, json={})
    api("POST", f"{personal}/items/{put(api, personal, 'a.txt')['id']}/checkout", 400)


def test_search_and_shares(api: Api, emulator: Emulator, business: str) -> None:
    """Found by a part of the name; an item by the address that a person would paste."""
    import base64

    item = put(api, business, "Quarterly report.txt")
    hits = api("GET", f"{business}/root/search(q='report')", 200).json()["value"]
    assert [hit["id"] for hit in hits] == [item["id"]]
    share = "u!" + base64.urlsafe_b64encode(item["webUrl"].encode()).decode().rstrip("=")
    assert api("GET", f"/shares/{share}/driveItem", 200).json()["id"] == item["id"]


def test_quota(api: Api, emulator: Emulator, business: str) -> None:
    """Used bytes grow; a full drive is 507."""
    put(api, business, "a.txt", b"12345")
    assert api("GET", business, 200).json()["quota"]["used"] == 5
    emulator.drive("business").drive.total = 6
    api("PUT", f"{business}/root:/b.txt:/content", 507, data=b"12345")


def test_throttling(api: Api, emulator: Emulator, business: str) -> None:
    """RateLimit headers from 80 % of the limit on, 429 with Retry-After above it."""
    emulator.quirks.resource_units_per_minute = 10
    answers = [api("GET", f"{business}/root") for _ in range(11)]
    assert "RateLimit-Limit" not in answers[0].headers
    assert answers[8].headers["RateLimit-Remaining"] == "1"
    assert answers[10].status_code == 429
    assert 0 < int(answers[10].headers["Retry-After"]) < int(answers[10].headers["RateLimit-Reset"])


def test_fragments_tell_rate_limits(api: Api, emulator: Emulator, business: str) -> None:
    """They are charged, so their answers say what is left, as Graph's own do."""
    session = api("POST", f"{business}/root:/b.bin:/createUploadSession", 200, json={}).json()["uploadUrl"]
    emulator.quirks.resource_units_per_minute = 2
    answer = api("PUT", session, 201, data=b"x", headers={"Content-Range": "bytes 0-0/1"})
    assert answer.headers["RateLimit-Remaining"] == "0"


def test_the_minute_slides(api: Api, emulator: Emulator, business: str) -> None:
    """A reset brings back what was used first, and no more."""
    emulator.quirks.resource_units_per_minute = 10
    api("GET", f"{business}/root", 200)
    emulator.clock.advance(30)
    for _ in range(9):
        api("GET", f"{business}/root", 200)
    emulator.clock.advance(31)
    assert [api("GET", f"{business}/root").status_code for _ in range(2)] == [200, 429]


def test_resource_units(api: Api, emulator: Emulator, business: str) -> None:
    """One for an item and for delta with a token, two without and for the rest, five where permissions are involved."""
    put(api, business, "a.txt")
    emulator.quirks.resource_units_per_minute = 1000
    link = api("GET", f"{business}/root/delta?token=latest", 200).json()["@odata.deltaLink"]
    emulator.world.units.clear()
    session = api("POST", f"{business}/root:/b.bin:/createUploadSession", 200, json={}).json()["uploadUrl"]
    for method, url, options in (
        ("GET", f"{business}/root", {}),
        ("GET", f"{business}/root/delta", {}),
        ("GET", link.removeprefix(emulator.graph_url), {}),
        ("GET", f"{business}/root/children", {}),
        ("GET", f"{business}/root/permissions", {}),
        ("GET", f"{business}/root?$expand=permissions", {}),
        ("PUT", session, {"data": b"x", "headers": {"Content-Range": "bytes 0-0/1"}}),
    ):
        assert api(method, url, **options).status_code < 300
    assert [cost for _, cost in emulator.world.units] == [2, 1, 2, 1, 2, 5, 5, 2]


def test_rate_limits_are_told_with_errors_too(api: Api, emulator: Emulator, business: str) -> None:
    """A 404 near the limit says how much is left."""
    emulator.quirks.resource_units_per_minute = 1
    assert api("GET", f"{business}/root:/none", 404).headers["RateLimit-Remaining"] == "0"


def test_batches_answer_in_any_order(api: Api, business: str) -> None:
    """Not in that of the requests; and what is no batch at all is 400."""
    one = {"id": "1", "method": "GET", "url": f"{business}/root"}
    answers = api("POST", "/$batch", 200, json={"requests": [one, {**one, "id": "2"}]}).json()["responses"]
    assert [answer["id"] for answer in answers] == ["2", "1"]
    for wrong in ({**one, "dependsOn": ["7"]}, {"id": "1", "url": "/me"}, {"id": "1", "method": "GET"}, "x"):
        api("POST", "/$batch", 400, json={"requests": [wrong]})


def test_delta_during_changes(api: Api, emulator: Emulator, drive: str) -> None:
    """What changes between two pages is told by the next enumeration at the latest, and a deleted item's death too."""
    for number in range(10):
        put(api, drive, f"{number}.txt")
    page = api("GET", f"{drive}/root/delta?$top=4&$select=id,name,deleted", 200).json()
    assert len(page["value"]) == 4
    changed, gone = page["value"][1]["id"], page["value"][2]["id"]
    api("PATCH", f"{drive}/items/{changed}", 200, json={"name": "changed"})
    api("DELETE", f"{drive}/items/{gone}", 204)
    seen = {item["id"] for item in page["value"]}
    while "@odata.nextLink" in page:
        page = api("GET", page["@odata.nextLink"].removeprefix(emulator.graph_url), 200).json()
        assert all(set(item) <= {"id", "name"} for item in page["value"])
        seen |= {item["id"] for item in page["value"]}
    assert len(seen) == 11
    following = page["@odata.deltaLink"].removeprefix(emulator.graph_url)
    after = {item["id"]: item for item in api("GET", following, 200).json()["value"]}
    assert after[changed]["name"] == "changed"
    assert "deleted" in after[gone]


def test_delta_links(api: Api, emulator: Emulator, business: str) -> None:
    """Opaque, the same while nothing changes, good more than once, and of one drive only."""
    put(api, business, "a.txt")
    url = api("GET", f"{business}/root/delta", 200).json()["@odata.deltaLink"]
    for _ in range(2):
        assert api("GET", url.removeprefix(emulator.graph_url), 200).json()["@odata.deltaLink"] == url
    token = url.partition("token=")[2]
    api("GET", f"{business}/root/delta(token='{token}')", 200)
    api("GET", f"/drives/{emulator.drive('documents').id}/root/delta?token={token}", 400)
    api("GET", f"{business}/root/delta?token=nonsense", 400)


def test_delta_backwards(api: Api, emulator: Emulator, drive: str) -> None:
    """Children may come before their parents, over pages, and an empty page before both."""
    put(api, drive, "d/e/a.txt")
    emulator.quirks.delta_backwards = emulator.quirks.short_pages = True
    page = api("GET", f"{drive}/root/delta?$top=2", 200).json()
    assert page["value"] == []
    names = []
    while "@odata.nextLink" in page:
        page = api("GET", page["@odata.nextLink"].removeprefix(emulator.graph_url), 200).json()
        names += [item["name"] for item in page["value"]]
    assert names == ["a.txt", "e", "d", "root"]


def test_delta_from_a_time(api: Api, emulator: Emulator, business: str, personal: str) -> None:
    """Business drives take one for a token, personal ones do not."""
    put(api, business, "old.txt")
    emulator.clock.advance(100)
    when = emulator.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    put(api, business, "new.txt")
    names = {item["name"] for item in api("GET", f"{business}/root/delta?token={when}", 200).json()["value"]}
    assert names == {"root", "new.txt"}
    api("GET", f"{personal}/root/delta?token={when}", 400)


def test_delta_below_a_folder(api: Api, business: str, personal: str) -> None:
    """Is for personal drives, and tells of nothing outside."""
    for drive in (business, personal):
        put(api, drive, "d/a.txt")
        put(api, drive, "b.txt")
    api("GET", f"{business}/root:/d:/delta", 400)
    found = api("GET", f"{personal}/root:/d:/delta", 200).json()
    assert {item["name"] for item in found["value"]} == {"d", "a.txt"}
    assert "/items/" in found["@odata.deltaLink"]


def test_delta_tokens_grow_old(api: Api, emulator: Emulator, business: str, personal: str) -> None:
    """After thirty days on personal drives; the code of the 410 tells what to do, its Location where to begin."""
    for drive, status in ((business, 200), (personal, 410)):
        link = api("GET", f"{drive}/root/delta", 200).json()["@odata.deltaLink"].removeprefix(emulator.graph_url)
        emulator.clock.advance(31 * 86400)
        api("GET", link, status, headers={"Authorization": f"Bearer {emulator.access_token()}"})
        emulator.clock.reset()
    link = api("GET", f"{business}/root/delta", 200).json()["@odata.deltaLink"].removeprefix(emulator.graph_url)
    emulator.drive("business").expire_delta("resyncChangesUploadDifferences")
    answer = api("GET", link, 410)
    assert answer.json()["error"]["innerError"]["code"] == "resyncChangesUploadDifferences"
    assert answer.headers["Location"] == f"{emulator.graph_url}{business}/root/delta"
    api("GET", f"{business}/root/delta?$top=1", 200)
