"""Drives and their quota (facts: Graph §1.1)."""

from __future__ import annotations

from urllib.parse import quote

from davbridge.graph.client import Graph
from davbridge.graph.decode import drive
from davbridge.graph.model import Drive
from davbridge.graph.pages import values


def get_drive(graph: Graph, drive_id: str) -> Drive:
    """A drive by its id. Raises NotFound."""
    return drive(graph.get_json(f"/drives/{quote(drive_id, safe='!')}"))


def get_my_drive(graph: Graph) -> Drive:
    """The signed-in person's default drive. An application's own sign-in has none."""
    return drive(graph.get_json("/me/drive"))


def get_user_drive(graph: Graph, user: str) -> Drive:
    """A person's drive by principal name or id. Raises NotFound."""
    return drive(graph.get_json(f"/users/{quote(user, safe='@')}/drive"))


def list_site_drives(graph: Graph, site_id: str) -> list[Drive]:
    """The document libraries of a site."""
    return [drive(one) for one in values(graph, f"/sites/{quote(site_id, safe=',')}/drives")]
