"""A bridge with a status page, over an emulator, with an account that a person has signed in to."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import yaml

from davbridge.app import Bridge, build
from davbridge.clock import Clock, SystemClock
from davbridge.config.model import Config
from davbridge.edge import Limits
from davbridge.emulator import Emulator
from davbridge.tokens import sign_in
from tests.support.dav import Dav
from tests.support.world import HASHES, USERS


class Somebody:
    """A person who follows what the terminal shows; the emulator lets them in at once."""

    def show(self, text: str) -> None:
        """They read it."""

    def ask(self, question: str) -> str:
        return ""

    def browse(self, address: str) -> bool:
        return False


@dataclass
class Site:
    """`base` is the bridge's address. Alice is an admin, Bob is none."""

    emulator: Emulator
    bridge: Bridge
    config: Config
    folder: Path
    base: str

    def dav(self, mount: str = "me") -> Dav:
        return Dav(self.base, "alice", USERS["alice"], f"/{mount}/")

    def sign_in(self) -> None:
        """As `davbridge login`."""
        self.emulator.entra.revoked, self.emulator.entra.auto_approve = False, True
        account = self.bridge.accounts["contoso"]
        sign_in(account.settings, account.store, account.clock, Somebody())

    def lose_sign_in(self) -> None:
        """An administrator ends the person's sessions; a client is the first to notice."""
        self.emulator.entra.revoked, self.emulator.entra.auto_approve = True, False
        self.emulator.world.tokens.clear()
        client = self.dav()
        for _ in range(2):  # the first may find another token in the store, and try that
            assert client.get("Welcome.txt").status == 503
        client.close()

    def browser(self, **headers: str) -> Browser:
        return Browser(self.base, headers)


@dataclass
class Page:
    """What came back. `headers` in lower case, the last of each."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def token(self) -> str:
        """That of the first form."""
        found = re.search(r'name="token" value="([^"]*)"', self.text)
        return found[1] if found else ""


@dataclass
class Browser:
    """What of a browser matters to the page: cookies, and where a form comes from. It follows nothing by itself."""

    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Page:
        """One request below `/.davbridge/`, unless the path begins with a slash."""
        parts = urlsplit(self.base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        sent = {"Origin": self.base} if method == "POST" else {}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if fields is not None:
            sent["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(fields)
        wanted = {**sent, **self.headers, **(headers or {})}
        place = path if path.startswith("/") else f"/.davbridge/{path}"
        try:
            connection.request(method, place, body, {name: value for name, value in wanted.items() if value})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return Page(answer.status, {name.lower(): value for name, value in answer.headers.items()}, text)

    def get(self, path: str = "", **headers: str) -> Page:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **fields: str) -> Page:
        return self.ask("POST", path, fields, headers)

    def log_in(self, name: str = "alice", password: str = "", token: str | None = None) -> Page:
        form = self.get("login")
        given = form.token if token is None else token
        return self.post("login", name=name, password=password or USERS.get(name, ""), token=given)


def site_configuration(emulator: Emulator, folder: Path, **account: object) -> Config:
    """Two policies on one account, with a device code unless `account` says otherwise."""
    cloud = {"graph": emulator.graph_url, "login": emulator.login_url, "ca_file": emulator.ca_file}
    about = {"tenant": emulator.tenant, "client_id": emulator.client_id, "sign_in": "device_code", "cloud": cloud}
    both = {"account": "contoso", "download": "proxy", "push": False}
    return Config.model_validate(
        {
            "server": {"listen": "127.0.0.1:0", "workers": 1},
            "state": {"directory": str(folder / "state")},
            "accounts": {"contoso": {**about, **account}},
            "policies": {
                "my-files": {"mount": "/me", "driver": "onedrive", **both, "access": {"alice": "write"}},
                "team": {
                    "mount": "/team",
                    "driver": "sharepoint",
                    "site": emulator.site_url,
                    "library": "Documents",
                    **both,
                    "access": {"alice": "write", "bob": "read"},
                },
            },
            "users": {name: {"password": hashed, "admin": name == "alice"} for name, hashed in HASHES.items()},
        }
    )


@contextmanager
def running_site(emulator: Emulator, config: Config, folder: Path, clock: Clock | None = None) -> Iterator[Site]:
    """It serves in the block, in this process."""
    bridge = build(config, clock or SystemClock(), Limits(threads=16))
    bridge.server.start()
    try:
        yield Site(emulator, bridge, config, folder, f"http://{bridge.server.addresses[0]}")
    finally:
        bridge.server.drain(5)
        bridge.close()


def write_site(emulator: Emulator, folder: Path, workers: int) -> Path:
    """The configuration as a file, for `davbridge serve`."""
    data = json.loads(site_configuration(emulator, folder).model_dump_json(exclude_defaults=True))
    data["server"] = {"listen": "127.0.0.1:0", "workers": workers}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data))
    return path
