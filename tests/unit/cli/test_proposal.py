"""From a folder to a policy's name, and to YAML as a person would write it."""

from __future__ import annotations

import pytest
import yaml

from davbridge.auth import make_password
from davbridge.cli.proposal import Folder, name_for
from davbridge.cli.telling import printable
from davbridge.cli.yamltext import entries, rows, text
from davbridge.graph import Drive, Site
from davbridge.paths import DavPath

TEAM = Site("id", "Team & Friends", "https://contoso.sharepoint.com/sites/team")


@pytest.mark.parametrize(
    ("kind", "library", "site", "path", "expected"),
    [
        ("documentLibrary", "Documents", TEAM, "/", "team-friends"),
        ("documentLibrary", "Old things", TEAM, "/A/2026", "team-friends-old-things-2026"),
        ("business", "OneDrive", Site("id", "alice", ""), "/Übung 1", "onedrive-übung-1"),
        ("personal", "***", None, "/", "files"),
        ("documentLibrary", "Taken", None, "/", "taken-2"),
    ],
)
def test_names(kind: str, library: str, site: Site | None, path: str, expected: str) -> None:
    """Short, of what a person knows the folder by, and good for a mount path."""
    drive = Drive("d", kind, library, "", "", None)
    folder = Folder(drive, "i", DavPath(tuple(name for name in path.split("/") if name)), site)
    assert name_for(folder, {"taken"}) == expected


def test_yaml() -> None:
    """One key a line, small mappings in braces, and the same values when it is read."""
    policies = {"me": {"mount": "/me", "root": "/ä: #1", "access": {"yes": "write"}}}
    users = {"yes": {"password": "$argon2id$x"}, "1": {"password": "y"}}
    written = text({"policies": entries(policies), "users": rows(users)})
    assert "    access: {'yes': write}" in written.splitlines()
    assert yaml.safe_load(written) == {"policies": policies, "users": users}


def test_made_passwords() -> None:
    """Each is another one, and none has a character that a shell or a program would take for its own."""
    made = {make_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 16 and one.isalnum() and one.isascii() for one in made)


def test_what_steers_a_terminal() -> None:
    """A name from elsewhere moves no cursor and clears no screen."""
    assert printable("a\x1b[2Jb\nc\u202e") == "a\ufffd[2Jb\nc\ufffd"
