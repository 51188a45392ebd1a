"""The emulator as its users see it: start it, look into its drives, plan its faults, count its calls."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
from datetime import datetime
from pathlib import Path
from types import TracebackType

from davbridge.emulator.blobs import Blob
from davbridge.emulator.calls import Recorder
from davbridge.emulator.clock import Clock
from davbridge.emulator.control import control_application
from davbridge.emulator.drives import Drive, Item, Profile
from davbridge.emulator.entra import Entra
from davbridge.emulator.faults import FaultScript
from davbridge.emulator.graph import content_application, graph_application
from davbridge.emulator.httpd import Server
from davbridge.emulator.identity import identity_application
from davbridge.emulator.line import Line
from davbridge.emulator.proxy import Proxy
from davbridge.emulator.quirks import Quirks
from davbridge.emulator.storm import Storm
from davbridge.emulator.tls import make_certificates
from davbridge.emulator.world import MINE_HOST, SITE_HOST, TENANT, Site, World, secret

USER = f"alice@{TENANT}"
TEBIBYTE = 1 << 40


class DriveState:
    """A drive from the inside: put and read without any API. Paths are `/a/b.txt`, not encoded."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    @property
    def id(self) -> str:
        return self._drive.id

    @property
    def drive(self) -> Drive:
        return self._drive

    def item(self, path: str) -> Item:
        """Raises Problem (404)."""
        return self._drive.own(self._drive.descend(self._drive.root, _names(path)))

    def exists(self, path: str) -> bool:
        item: Item | None = self._drive.root
        for name in _names(path):
            item = self._drive.child(item, name) if item is not None else None
        return item is not None

    def put(self, path: str, data: bytes, *, modified: datetime | None = None) -> Item:
        """Store a file, with the folders above it."""
        *above, name = _names(path)
        parent = self._drive.folder_for(self._drive.root, above)
        return self._drive.store(parent, name, Blob.of(data), "replace", fs_modified=modified)[0]

    def mkdir(self, path: str) -> Item:
        return self._drive.folder_for(self._drive.root, _names(path))

    def shortcut(self, name: str, other: DriveState, path: str) -> Item:
        """An entry of the root that stands for a folder of another drive."""
        return self._drive.make_shortcut(name, other.id, other.item(path))

    def read(self, path: str) -> bytes:
        blob = self.item(path).blob
        assert blob is not None
        return blob.bytes()

    def versions(self, path: str) -> list[bytes]:
        """Former contents, newest first."""
        return [version.blob.bytes() for version in self.item(path).versions]

    def generate(
        self, *, folders: int, files_per_folder: int, under: str = "/", fanout: int = 0, largest: int = 4096
    ) -> None:
        """Let `folders` folders of so many files each appear below `under`, at no cost: they are made when asked for.

        `fanout` folders lie in a folder; 0: all side by side. Files have up to `largest` bytes. Names (`folder
        0000000`, `file 0000123.txt`), ids, sizes, times and contents follow from the items' numbers. A drive has room
        for one crowd, until it is cleared. Raises ValueError for a second one, or numbers that make none.
        """
        self._drive.generate(self.mkdir(under), folders, files_per_folder, fanout, largest)

    def delete(self, path: str) -> None:
        self._drive.delete(self.item(path))

    def move(self, path: str, target: str) -> Item:
        """Give an item another name, folder, or both, as somebody else does."""
        folder, _, name = target.rpartition("/")
        item = self.item(path)
        self._drive.update(item, name=name, parent=self.item(folder or "/"))
        return item

    def restore(self, item_id: str) -> Item:
        """Bring a deleted item back from the recycle bin."""
        return self._drive.restore(item_id, None, None)

    def tree(self) -> dict[str, bytes | None]:
        """Every path and its content; None for folders."""
        below = [item for item in self._drive.below(self._drive.root) if item is not self._drive.root]
        return {"/" + "/".join(self._drive.path_of(item)): item.blob.bytes() if item.blob else None for item in below}

    def clear(self) -> None:
        """Delete everything and forget open sessions."""
        self._drive.empty()
        self._drive.open_sessions.clear()

    def expire_delta(self, code: str = "resyncChangesApplyDifferences") -> None:
        """Let every delta token given so far be too old: 410 with this inner code."""
        self._drive.expire(code)

    @property
    def open_sessions(self) -> int:
        return len(self._drive.open_sessions)


class Emulator:
    """A running emulator: `with Emulator.start() as emulator: …`.

    Graph listens on `localhost`, pre-authenticated URLs lie on `127.0.0.1`: two hosts to any client that compares them.
    """

    def __init__(self, world: World, entra: Entra, servers: list[Server], proxy: Proxy, ca_file: Path) -> None:
        self.world = world
        self.entra = entra
        self._servers = servers
        self._proxy = proxy
        self.ca_file = str(ca_file)
        graph, _, login, control, identity = servers
        self.graph_url = f"https://localhost:{graph.port}/v1.0"
        self.login_url = f"https://localhost:{login.port}"
        self.control_url = f"http://127.0.0.1:{control.port}"
        self.identity_url = f"http://127.0.0.1:{identity.port}"
        self.proxy_url = proxy.url
        self.tenant = TENANT
        self.client_id = world.client_id
        self.client_secret = world.client_secret
        self.user = world.user
        self.site_url = f"https://{SITE_HOST}/{world.site.path}"

    @classmethod
    def start(cls) -> Emulator:
        """Start on free ports. Raises OSError when the machine has none, or no room for temporary files."""
        folder = Path(tempfile.mkdtemp(prefix="davbridge-emulator-"))
        world = _make_world(folder)
        entra = Entra(world)
        ca_file, context = make_certificates(folder)
        graph = Server(graph_application(world), context, line=world.line)
        content = Server(content_application(world), context, line=world.line)
        login = Server(entra.application, context)
        control = Server(control_application(world, entra), None)
        identity = Server(identity_application(world, entra), None)
        world.content_url = f"https://127.0.0.1:{content.port}"
        world.login_url = f"https://localhost:{login.port}"
        hosts = {"graph.microsoft.com": graph.port, "login.microsoftonline.com": login.port, SITE_HOST: content.port}
        proxy = Proxy(hosts)
        servers = [graph, content, login, control, identity]
        for server in servers:
            server.start()
        proxy.start()
        return cls(world, entra, servers, proxy, ca_file)

    def close(self) -> None:
        # side by side: each waits until its loop looks up again
        closings = [
            threading.Thread(target=close) for close in (*(one.close for one in self._servers), self._proxy.close)
        ]
        for closing in closings:
            closing.start()
        for closing in closings:
            closing.join()
        shutil.rmtree(self.world.folder, ignore_errors=True)

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def calls(self) -> Recorder:
        return self.world.calls

    @property
    def faults(self) -> FaultScript:
        return self.world.faults

    @property
    def quirks(self) -> Quirks:
        return self.world.quirks

    @property
    def line(self) -> Line:
        """How far away Graph and the content host are: not at all, until it is set."""
        return self.world.line

    def storm(self, rate: float, seed: int = 0) -> Storm:
        """From now on so many of the calls go wrong, of 1, until `reset`. Raises ValueError."""
        self.world.storm = Storm(rate, seed)
        return self.world.storm

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def drive(self, name: str) -> DriveState:
        """`personal`, `personal-migrated`, `business`, `documents`, `archive` or `design`."""
        return DriveState(self.world.drives[name])

    def access_token(self, *, seconds: int = 86400) -> str:
        """A token of the user, for clients that cannot sign in themselves."""
        return self.entra.issue(self.user, seconds)

    def reset(self) -> None:
        """Empty every drive; forget calls, faults, quirks, the line, sessions and time travel. Tokens stay good."""
        for name in self.world.drives:
            self.drive(name).clear()
            self.world.drives[name].total = 5 * TEBIBYTE
        self.world.sessions.clear()
        self.world.copies.clear()
        self.world.subscriptions.clear()
        self.world.rewrites.clear()
        self.world.units.clear()
        self.clock.reset()
        self.world.quirks = Quirks()
        self.line.set(0, 0)
        self.world.claims_challenge = ""
        self.world.own_drives.clear()
        self.world.storm = None
        self.faults.clear()
        self.calls.clear()
        self.calls.leaks.clear()

    def facts(self) -> dict[str, object]:
        """Addresses and identities, for another process."""
        return {
            "graph_url": self.graph_url,
            "login_url": self.login_url,
            "ca_file": self.ca_file,
            "proxy_url": self.proxy_url,
            "control_url": self.control_url,
            "identity_url": self.identity_url,
            "tenant": self.tenant,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "user": self.user,
            "site_url": self.site_url,
            "access_token": self.access_token(),
            "drive_id": self.drive("business").id,
            "drives": {name: drive.id for name, drive in self.world.drives.items()},
        }


def _make_world(folder: Path) -> World:
    clock = Clock()
    site_path = "sites/team"

    def drive(profile: Profile, name: str, web_url: str) -> Drive:
        return Drive(profile, name, USER, web_url, clock, 5 * TEBIBYTE)

    base = f"https://{SITE_HOST}/{site_path}"
    documents = drive("documentLibrary", "Documents", f"{base}/Shared%20Documents")
    archive = drive("documentLibrary", "Archive", f"{base}/Archive")
    design = drive("documentLibrary", "Documents", f"{base}/design/Shared%20Documents")
    collection = uuid.uuid4()
    site = Site(_site_id(SITE_HOST, collection), site_path, "Team", [documents, archive])
    # a site in the site, which has the collection's id in its own
    inner = Site(_site_id(SITE_HOST, collection), f"{site_path}/design", "Design", [design])
    for one in (site, inner):
        for library in one.drives:
            library.site_id = one.id
    person = "personal/alice_contoso_onmicrosoft_com"
    mine = drive("business", "OneDrive", f"https://{MINE_HOST}/{person}/Documents")
    drives = {
        "personal": drive("personal", "OneDrive", "https://onedrive.live.com/personal"),
        "personal-migrated": drive(
            "personal-migrated", "OneDrive", "https://my.microsoftpersonalcontent.com/personal/x"
        ),
        "business": mine,
        "documents": documents,
        "archive": archive,
        "design": design,
    }
    return World(
        folder=folder,
        clock=clock,
        calls=Recorder(),
        faults=FaultScript(),
        quirks=Quirks(),
        user=USER,
        client_id=str(uuid.uuid4()),
        client_secret=f"emulated~{secret(16)}",
        drives=drives,
        site=site,
        root_site=Site(_site_id(SITE_HOST), "", "Communication site", []),
        other_sites=[
            inner,
            Site(_site_id(SITE_HOST), "teams/closed", "Closed", [], closed=True),
            Site(_site_id(MINE_HOST), person, "alice", [mine], MINE_HOST),
        ],
    )


def _site_id(host: str, collection: uuid.UUID | None = None) -> str:
    return f"{host},{collection or uuid.uuid4()},{uuid.uuid4()}"


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
