"""Versions, copies, the recycle bin, folders' times and tags, and the odder addresses (facts: Graph §1, §2.4, §4)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from davbridge.emulator import Emulator
from tests.emulator.conftest import Api
from tests.emulator.test_items import code, put

TIME = "2020-02-03T04:05:06Z"


def test_versions(api: Api, drive: str) -> None:
    """Newest first; old contents by redirect, the current one not at all; restoring makes a new one."""
    item = put(api, drive, "a.txt", b"one")
    put(api, drive, "a.txt", b"two!", 200)
    url = f"{drive}/items/{item['id']}/versions"
    assert [version["size"] for version in api("GET", url, 200).json()["value"]] == [4, 3]
    assert api("GET", url + "/1.0", 200).json()["lastModifiedBy"]
    where = api("GET", url + "/1.0/content", 302).headers["Location"]
    assert api("GET", where, 200).content == b"one"
    api("GET", where.replace("/1.0?", "?"), 401)
    api("GET", url + "/2.0/content", 400)
    api("GET", url + "/9.0/content", 404)
    api("POST", url + "/1.0/restoreVersion", 204)
    assert len(api("GET", url, 200).json()["value"]) == 3


def test_deleting_a_version(api: Api, business: str, personal: str) -> None:
    """Works on business drives only."""
    for drive, status in ((business, 204), (personal, 400)):
        item = put(api, drive, "a.txt", b"one")
        put(api, drive, "a.txt", b"two", 200)
        api("DELETE", f"{drive}/items/{item['id']}/versions/1.0", status)


def monitored(api: Api, emulator: Emulator, url: str, body: dict, query: str = "") -> dict:
    """What the monitor of a copy says in the end."""
    emulator.quirks.copy_seconds = 0
    return api("GET", api("POST", f"{url}/copy{query}", 202, json=body).headers["Location"]).json()


def test_a_copy_goes_on_slowly(api: Api, emulator: Emulator, business: str) -> None:
    """Not started, then a percentage that grows, then done."""
    emulator.quirks.copy_seconds = 100
    item = put(api, business, "a.txt")
    monitor = api("POST", f"{business}/items/{item['id']}/copy", 202, json={"name": "b"}).headers["Location"]
    assert api("GET", monitor, 200).json()["status"] == "notStarted"
    emulator.clock.advance(50)
    assert 49 < api("GET", monitor, 200).json()["percentageComplete"] < 60
    api("GET", f"{business}/root:/b", 404)
    emulator.clock.advance(60)
    assert api("GET", monitor, 200).json()["status"] == "completed"
    emulator.quirks.copy_without_resource = True
    assert "resourceId" not in api("GET", monitor, 200).json()


def test_what_copies_refuse(api: Api, emulator: Emulator, business: str) -> None:
    """A name with childrenOnly, childrenOnly of a file, the root; a folder into itself, and too many items."""
    item = put(api, business, "d/e/a.txt")
    url = f"{business}/root:/d:"
    inner = item["parentReference"]["id"]
    api("POST", url + "/copy", 400, json={"name": "x", "childrenOnly": True, "parentReference": {"id": inner}})
    api(
        "POST",
        f"{business}/items/{item['id']}/copy",
        400,
        json={"childrenOnly": True, "parentReference": {"id": inner}},
    )
    api("POST", f"{business}/root/copy", 400, json={"name": "x"})
    assert monitored(api, emulator, url, {"parentReference": {"id": inner}})["status"] == "failed"
    emulator.drive("business").generate(folders=31, files_per_folder=1000, under="/huge")
    state = monitored(api, emulator, f"{business}/root:/huge:", {"name": "more"})
    assert state["errorCode"] == "totalAffectedItemCountExceeded"
    emulator.drive("business").clear()


def test_copying_children_only(api: Api, emulator: Emulator, business: str) -> None:
    """The folder itself stays behind."""
    put(api, business, "d/a.txt")
    root = api("GET", f"{business}/root", 200).json()["id"]
    body = {"childrenOnly": True, "parentReference": {"id": root}}
    assert monitored(api, emulator, f"{business}/root:/d:", body)["status"] == "completed"
    api("GET", f"{business}/root:/a.txt", 200)


def test_personal_copies_know_no_conflict_behaviour(api: Api, emulator: Emulator, business: str, personal: str) -> None:
    """There the name is taken, whatever the query says."""
    query = "?@microsoft.graph.conflictBehavior=rename"
    for drive, status in ((business, "completed"), (personal, "failed")):
        put(api, drive, "a.txt")
        assert monitored(api, emulator, f"{drive}/root:/a.txt:", {"name": "a.txt"}, query)["status"] == status


def test_the_recycle_bin(api: Api, personal: str, business: str) -> None:
    """Personal drives restore a tree; business drives only delete for good."""
    put(api, personal, "d/a.txt", b"abc")
    folder = api("GET", f"{personal}/root:/d", 200).json()
    api("POST", f"{personal}/items/{folder['id']}/permanentDelete", 400)
    api("DELETE", f"{personal}/items/{folder['id']}", 204)
    restored = api("POST", f"{personal}/items/{folder['id']}/restore", 200, json={"name": "back"}).json()
    assert (restored["id"], restored["name"]) == (folder["id"], "back")
    assert api("GET", f"{personal}/root:/back/a.txt", 200).json()["size"] == 3
    api("POST", f"{personal}/items/{folder['id']}/restore", 404)
    item = put(api, business, "a.txt")
    api("POST", f"{business}/items/{item['id']}/permanentDelete", 204)
    api("GET", f"{business}/items/{item['id']}", 404)
    api("POST", f"{business}/items/{item['id']}/restore", 404)


def test_times_of_folders(api: Api, business: str, personal: str) -> None:
    """Business drives do not take them at creation, and lose them when a child comes; personal drives keep them."""
    times = {"fileSystemInfo": {"lastModifiedDateTime": TIME}}
    for drive, kept in ((business, False), (personal, True)):
        made = api("POST", f"{drive}/root/children", 201, json={"name": "d", "folder": {}, **times}).json()
        assert made["fileSystemInfo"]["lastModifiedDateTime"].startswith(TIME[:10]) == kept
        later = api("PATCH", f"{drive}/items/{made['id']}", 200, json=times).json()
        assert later["fileSystemInfo"]["lastModifiedDateTime"].startswith(TIME[:10])
        put(api, drive, "d/a.txt")
        now = api("GET", f"{drive}/items/{made['id']}", 200).json()
        assert now["fileSystemInfo"]["lastModifiedDateTime"].startswith(TIME[:10]) == kept
        assert now["eTag"] == later["eTag"]


def test_ctag_of_personal_folders(api: Api, personal: str) -> None:
    """It changes with anything below; the eTag does not."""
    put(api, personal, "d/e/a.txt")
    states = [api("GET", f"{personal}/root:/d", 200).json()]
    for method, url, options in (
        ("PUT", "root:/d/e/a.txt:/content", {"data": b"2"}),
        ("PATCH", "root:/d/e/a.txt", {"json": {"name": "b"}}),
        ("DELETE", "root:/d/e/b", {}),
    ):
        assert api(method, f"{personal}/{url}", **options).status_code < 300
        states.append(api("GET", f"{personal}/root:/d", 200).json())
    assert len({state["cTag"] for state in states}) == 4
    assert len({state["eTag"] for state in states}) == 1


def test_sizes_of_folders(api: Api, drive: str) -> None:
    """All that lies below, wherever it has come from."""
    put(api, drive, "d/e/a.txt", b"12345")
    put(api, drive, "x/b.txt", b"12")
    folder = api("GET", f"{drive}/root:/d/e", 200).json()["id"]
    target = api("GET", f"{drive}/root:/x", 200).json()["id"]
    sizes = lambda: [api("GET", f"{drive}/root:/{name}", 200).json()["size"] for name in ("d", "x")]  # noqa: E731
    assert sizes() == [5, 2]
    api("PATCH", f"{drive}/items/{folder}", 200, json={"parentReference": {"id": target}})
    assert sizes() == [0, 7]
    api("DELETE", f"{drive}/root:/x/b.txt", 204)
    assert sizes() == [0, 5]
    assert api("GET", f"{drive}/root", 200).json()["size"] == 5


def test_another_composition_is_no_rename(api: Api, drive: str) -> None:
    """The name stays as it is, since both are the same to the service."""
    item = put(api, drive, "caf%C3%A9")
    answer = api("PATCH", f"{drive}/items/{item['id']}", 200, json={"name": "cafe\u0301"})
    assert answer.json()["name"] == "caf\u00e9"


def test_moves_that_make_paths_too_long(api: Api, business: str) -> None:
    """Also those of what lies below the moved folder."""
    long = "x" * 190
    put(api, business, f"{long}/{long}")
    put(api, business, "d/some more characters/a.txt")
    moved = api("GET", f"{business}/root:/{long}", 200).json()["id"]
    target = api("GET", f"{business}/root:/d/some%20more%20characters", 200).json()["id"]
    answer = api("PATCH", f"{business}/items/{moved}", 400, json={"parentReference": {"id": target}})
    assert answer.json()["error"]["innerError"]["code"] == "pathIsTooLong"


def test_prefer_minimal(api: Api, business: str) -> None:
    """PATCH then answers without a body."""
    item = put(api, business, "a.txt")
    headers = {"Prefer": "return=minimal"}
    assert not api("PATCH", f"{business}/items/{item['id']}", 204, json={"name": "b"}, headers=headers).content


def test_an_item_by_its_guid(api: Api, business: str, personal: str) -> None:
    """On SharePoint's backend the list item's id will do."""
    item = put(api, business, "a.txt")
    guid = item["eTag"].strip('"').partition("}")[0].strip("{")
    assert api("GET", f"{business}/items/{guid}", 200).json()["id"] == item["id"]
    api("GET", f"{personal}/items/{guid}", 404)


@pytest.mark.parametrize("drive_id", ["nonsense", "123", quote("0123456789ABCDE")])
def test_what_is_no_drive_id(api: Api, drive_id: str) -> None:
    """400, and with fifteen digits too; 404 for one that might be."""
    answer = api("GET", f"/drives/{drive_id}/root", 400)
    assert answer.json()["error"]["innerError"]["code"] == "invalidResourceId"
    api("GET", "/drives/0123456789ABCDEF/root", 404)


def test_sites_and_users(api: Api, emulator: Emulator) -> None:
    """The tenant's root site in each of its forms, and the user's drives by name and by id."""
    root = api("GET", "/sites/root", 200).json()
    assert api("GET", "/sites/contoso.sharepoint.com", 200).json() == root
    assert api("GET", "/sites/root:/sites/team", 200).json()["displayName"] == "Team"
    assert api("GET", "/sites/root/drives", 200).json()["value"] == []
    for user in (emulator.user, "8b1d5f9e-0000-4000-8000-000000000001"):
        assert len(api("GET", f"/users/{user}/drives", 200).json()["value"]) == 1
        assert api("GET", f"/users/{user}/drive", 200).json()["driveType"] == "business"
    assert code(api("GET", "/users/nobody/drive", 404)) == "itemNotFound"


def test_sort_orders(api: Api, business: str, personal: str) -> None:
    """Both ways, over pages; by size on personal drives only."""
    for drive in (business, personal):
        for size, name in enumerate("cabd"):
            put(api, drive, name, b"x" * size)

    def listed(url: str) -> str:
        names = ""
        while url:
            page = api("GET", url.removeprefix(api.emulator.graph_url), 200).json()
            names += "".join(item["name"] for item in page["value"])
            url = page.get("@odata.nextLink", "")
        return names

    assert listed(f"{business}/root/children?$top=3&$orderby=name desc") == "dcba"
    assert listed(f"{personal}/root/children?$top=1&$orderby=size desc") == "dbac"
    assert listed(f"{personal}/root/children?$top=2&$orderby=size") == "cabd"
    api("GET", f"{business}/root/children?$orderby=name sideways", 400)


def test_malware(api: Api, emulator: Emulator, business: str) -> None:
    """The facet instead of a download URL, and 403 for the content."""
    put(api, business, "a.txt")
    emulator.drive("business").item("/a.txt").malware = "EICAR"
    item = api("GET", f"{business}/root:/a.txt", 200).json()
    assert item["malware"]
    assert "@microsoft.graph.downloadUrl" not in item
    answer = api("GET", f"{business}/root:/a.txt:/content", 403)
    assert (code(answer), answer.headers["X-Virus-Infected"]) == ("malwareDetected", "EICAR")


def test_conversion_and_odd_ranges(api: Api, business: str) -> None:
    """406 for what has no PDF; a range that ends before it begins is not looked at."""
    put(api, business, "a.txt", b"0123456789")
    api("GET", f"{business}/root:/a.txt:/content?format=pdf", 406)
    url = api("GET", f"{business}/root:/a.txt:/content", 302).headers["Location"]
    assert api("GET", url, 200, headers={"Range": "bytes=5-2"}).content == b"0123456789"


def test_quota_states(api: Api, emulator: Emulator, business: str) -> None:
    """Below ten per cent, below one, and none left."""
    put(api, business, "a.bin", b"x" * 1000)
    states = []
    for total in (5000, 1050, 1005, 1000):
        emulator.drive("business").drive.total = total
        states.append(api("GET", business, 200).json()["quota"]["state"])
    assert states == ["normal", "nearing", "critical", "exceeded"]


def test_office_rewrite_takes_its_time(api: Api, emulator: Emulator) -> None:
    """The document is as it was stored, and a few seconds later no longer."""
    emulator.quirks.office_rewrite = True
    emulator.quirks.office_rewrite_seconds = 100
    drive = f"/drives/{emulator.drive('documents').id}"
    stored = put(api, drive, "a.docx", b"PK")
    assert api("GET", f"{drive}/root:/a.docx", 200).json()["eTag"] == stored["eTag"]
    emulator.clock.advance(101)
    now = api("GET", f"{drive}/root:/a.docx", 200).json()
    assert now["size"] > stored["size"]
    assert now["eTag"] != stored["eTag"]
