"""A SharePoint document library: found by any address that a person would paste, by its name, or by its drive id."""

from __future__ import annotations

from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.drivers.graphdriver import GraphDriver, Place, WatchDrive
from davbridge.drivers.locating import locate
from davbridge.drivers.remembered import Known, Remembered
from davbridge.drivers.roots import find_root, folder_path
from davbridge.drivers.uploads import Uploads
from davbridge.errors import ConfigError, Forbidden, NotFound, RequestRefused
from davbridge.graph.client import Graph
from davbridge.graph.desk import Desk
from davbridge.graph.drives import get_drive
from davbridge.graph.pasted import read_pasted
from davbridge.mirror.folder import Mirrors
from davbridge.paths import DavPath


class SharePoint:
    """The `sharepoint` driver of a policy."""

    @staticmethod
    def open(
        graph: Graph,
        *,
        site: str,
        library: str | None = None,
        drive_id: str | None = None,
        root: str = "/",
        clock: Clock,
        mirrors: Mirrors | None = None,
        account: str = "",
        watch: WatchDrive | None = None,
        uploads: Uploads | None = None,
        desk: Desk | None = None,
        contents: ContentCache | None = None,
    ) -> GraphDriver:
        """A driver that looks its library up at first use, or by `probe`. `root`: a folder as people write it."""
        memory = Remembered(mirrors.folder, account, site, library or "") if mirrors and not drive_id else None

        def find() -> Place:
            if drive_id:
                return _by_id(graph, drive_id, folder_path(root))
            return _by_address(graph, site, library, folder_path(root), memory)

        return GraphDriver(
            graph,
            find,
            clock,
            mirrors=mirrors,
            account=account,
            watch=watch,
            uploads=uploads,
            desk=desk,
            contents=contents,
        )


def _by_id(graph: Graph, drive_id: str, root: DavPath) -> Place:
    try:
        return find_root(graph, get_drive(graph, drive_id), root)
    except (NotFound, RequestRefused):
        raise ConfigError(f"there is no drive with the id {drive_id!r}, or the account cannot see it") from None


def _by_address(graph: Graph, site: str, library: str | None, root: DavPath, memory: Remembered | None) -> Place:
    """The library and the root folder in it: where the address led last time, or what it means now.

    Raises: ConfigError: no such site, library or folder; the message lists the libraries there are.
    """
    pasted = read_pasted(site)
    known = memory.read() if memory else None
    if memory and known:
        try:
            return find_root(graph, get_drive(graph, known.drive_id), known.path.join(root), known.base)
        except (NotFound, RequestRefused, Forbidden, ConfigError):
            memory.forget()  # moved, deleted, or shared anew: what it means is asked again
    found = locate(graph, pasted, library)
    place = find_root(graph, found.drive, found.path.join(root), found.base)
    if memory:
        memory.write(Known(found.drive.id, found.path, found.base))
    return place
