"""A person's OneDrive: the signed-in one's, or with an application's own sign-in the one of `user`."""

from __future__ import annotations

from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.drivers.graphdriver import GraphDriver, Place, WatchDrive
from davbridge.drivers.roots import find_root, folder_path
from davbridge.drivers.uploads import Uploads
from davbridge.errors import ConfigError, Forbidden, LicenceMissing, NotFound, PermissionMissing, RequestRefused
from davbridge.graph.client import Graph
from davbridge.graph.desk import Desk
from davbridge.graph.drives import get_my_drive, get_user_drive
from davbridge.graph.model import Drive
from davbridge.mirror.folder import Mirrors


class OneDrive:
    """The `onedrive` driver of a policy."""

    @staticmethod
    def open(
        graph: Graph,
        *,
        user: str | None = None,
        root: str = "/",
        clock: Clock,
        mirrors: Mirrors | None = None,
        account: str = "",
        watch: WatchDrive | None = None,
        uploads: Uploads | None = None,
        desk: Desk | None = None,
        contents: ContentCache | None = None,
    ) -> GraphDriver:
        """A driver that looks its drive up at first use, or by `probe`. `root`: a folder as people write it."""

        def find() -> Place:
            return find_root(graph, find_drive(graph, user), folder_path(root))

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


def find_drive(graph: Graph, user: str | None) -> Drive:
    """The drive.

    Raises:
        ConfigError: the person has none, or an application's own sign-in was not told whose to show.
        Forbidden: the account may not see it.
    """
    person = repr(user) if user else "the signed-in account"
    try:
        return get_user_drive(graph, user) if user else get_my_drive(graph)
    except NotFound:
        raise ConfigError(f"{person} has no OneDrive; a licence for it, or a first visit, may be missing") from None
    except (PermissionMissing, LicenceMissing) as error:
        raise ConfigError(f"the OneDrive of {person}: {error}") from None
    except Forbidden:
        raise Forbidden(
            f"the account may not see the OneDrive of {person}: an app needs the application permission "
            "Files.ReadWrite.All or Files.Read.All for it, with admin consent; Sites.Selected opens none"
        ) from None
    except RequestRefused as error:
        if user:
            raise
        # an application has no `/me` (facts/graph.md §1.1): Graph answers 400
        raise ConfigError(
            "Graph shows no OneDrive for this sign-in; with an application's own sign-in, name the person: `user:`"
        ) from error
