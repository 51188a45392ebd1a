"""Items as WsgiDAV resources: the interface that its own parts and foreign middleware know.

The verbs do not pass through here; they speak to the driver, once.
"""

from __future__ import annotations

from typing import Any

from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davbridge.drivers.protocol import Driver, Item
from davbridge.paths import DavPath


class FileResource(DAVNonCollection):  # type: ignore[misc] # WsgiDAV ships no types
    """A file, read-only through this interface."""

    def __init__(self, path: str, environ: dict[str, Any], driver: Driver, where: DavPath, item: Item) -> None:
        super().__init__(path, environ)
        self._driver = driver
        self._where = where
        self._item = item

    def get_content_length(self) -> int:
        return self._item.size

    def get_content_type(self) -> str:
        return self._item.content_type

    def get_creation_date(self) -> float:
        return self._item.created.timestamp()

    def get_last_modified(self) -> float:
        return self._item.modified.timestamp()

    def get_display_name(self) -> str:
        return self._item.name

    def get_etag(self) -> str:
        return self._item.etag

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return False

    def get_content(self) -> Any:
        """An open download; the caller closes it."""
        return self._driver.open(self._where)


class FolderResource(DAVCollection):  # type: ignore[misc] # WsgiDAV ships no types
    """A folder, read-only through this interface."""

    def __init__(self, path: str, environ: dict[str, Any], driver: Driver, where: DavPath, item: Item) -> None:
        super().__init__(path, environ)
        self._driver = driver
        self._where = where
        self._item = item

    def get_creation_date(self) -> float:
        return self._item.created.timestamp()

    def get_last_modified(self) -> float:
        return self._item.modified.timestamp()

    def get_display_name(self) -> str:
        return self._item.name

    def get_etag(self) -> None:
        return None

    def support_etag(self) -> bool:
        return False

    def get_member_names(self) -> list[str]:
        return [item.name for item in self._driver.children(self._where)[1]]

    def get_member_list(self) -> list[FileResource | FolderResource]:
        """The children, by one listing (WsgiDAV's own way looks up each)."""
        members: list[FileResource | FolderResource] = []
        for item in self._driver.children(self._where)[1]:
            kind = FolderResource if item.is_folder else FileResource
            path = self.path.rstrip("/") + "/" + item.name
            members.append(kind(path, self.environ, self._driver, self._where.child(item.name), item))
        return members
