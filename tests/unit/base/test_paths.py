"""Paths and names: one decoding, no way out of the root, OneDrive's own rules."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.errors import BadPath, NameRefused
from davbridge.paths import LOOK_ALIKES, ROOT, DavPath, check_name, fold


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("/", ()),
        ("", ()),
        ("/a/b.txt", ("a", "b.txt")),
        ("/a//b/", ("a", "b")),
        ("/x%252Fy", ("x%2Fy",)),
        ("/n%c3%bc%20%28y%29%23%2b%25%3b.txt", ("nü (y)#+%;.txt",)),
        ("/a+b", ("a+b",)),
    ],
)
def test_parse_decodes_each_segment_exactly_once(raw: str, names: tuple[str, ...]) -> None:
    """A segment is split first and decoded once, so `%252F` stays a name."""
    assert DavPath.parse(raw).names == names


@pytest.mark.parametrize("raw", ["/%ff", "/%c0%af", "/a%2Fb", "/..", "/%2e%2e/x", "/a/./b", "/a%00b"])
def test_parse_refuses_what_is_not_a_path(raw: str) -> None:
    """Bad UTF-8, encoded slashes, NUL and dot segments are refused instead of repaired."""
    with pytest.raises(BadPath):
        DavPath.parse(raw)


@given(st.binary(max_size=40))
def test_parse_never_leaves_the_root(raw: bytes) -> None:
    """Whatever bytes come, the result is a list of plain names or a refusal (T09)."""
    try:
        path = DavPath.parse(quote(raw, safe="/%"))
    except BadPath:
        return
    assert all(name not in ("", ".", "..") and "/" not in name for name in path.names)
    assert "/../" not in f"/{path.graph()}/"


@given(st.lists(st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1), max_size=4))
def test_url_round_trips(names: list[str]) -> None:
    """An href that we print is read back as the same path; what OneDrive cannot store is its look-alike by then."""
    if {".", ".."} & set(names):
        return
    path = DavPath(tuple(name.translate(LOOK_ALIKES) for name in names))
    assert DavPath.parse(path.url()) == path


def test_url_encodes_what_clients_stumble_over() -> None:
    """`&`, `;`, `#`, `%`, `?` and brackets are always encoded; a collection ends with a slash (clients.md 4.5)."""
    assert DavPath(("a&b;c#d%e?f[g]",)).url() == "/a%26b%3Bc%23d%25e%3Ff%5Bg%5D"
    assert DavPath(("d",)).url(collection=True) == "/d/"
    assert ROOT.url() == "/"


def test_graph_form_keeps_the_spelling() -> None:
    """OneDrive stores NFC and NFD as given; who wants NFC asks for it."""
    path = DavPath(("cafe\u0301",))
    assert path.graph() == "cafe%CC%81"
    assert path.composed.graph() == "caf%C3%A9"


@pytest.mark.parametrize(
    "name",
    [
        "a:b",
        "x.",
        " x",
        "x ",
        "CON",
        "nul",
        "com7",
        ".lock",
        "desktop.ini",
        "~$doc.docx",
        "a_vti_b",
        'q"',
        "a\x01",
        "x" * 256,
    ],
)
def test_names_that_cannot_be_stored_are_refused(name: str) -> None:
    """graph.md §9.2, with a reason in the message."""
    with pytest.raises(NameRefused, match="name"):
        check_name(name)


@pytest.mark.parametrize("name", ["#1 100%", "con.txt", "~draft", ".hidden", "a+b;c", "日本", "🎉", "x" * 255])
def test_names_that_can_be_stored_pass(name: str) -> None:
    """What the service takes is not refused out of caution."""
    check_name(name)


def test_fold_compares_as_onedrive_does() -> None:
    """Case and Unicode form do not make a different name (graph.md §9.3)."""
    assert fold("CAFE\u0301") == fold("caf\u00e9")
    assert DavPath(("Docs", "A")).is_within(DavPath(("docs",)))
    assert not DavPath(("Docs2",)).is_within(DavPath(("docs",)))


def test_a_path_over_400_characters_is_refused() -> None:
    """The whole path has a limit besides each name's."""
    with pytest.raises(NameRefused, match="400"):
        DavPath(("x" * 200, "y" * 200)).check()
