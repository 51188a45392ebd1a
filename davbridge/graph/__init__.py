"""Microsoft Graph's files API: one function for each operation; JSON becomes frozen dataclasses and goes no further."""

from davbridge.graph.client import Graph
from davbridge.graph.model import Drive, DriveItem, DriveQuota, ItemRef, Site

__all__ = ["Drive", "DriveItem", "DriveQuota", "Graph", "ItemRef", "Site"]
