"""A whole bridge in the test's own process: the emulator, both policies, plain HTTP and TLS, and nginx in front."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import argon2
import trustme

from davbridge.app import Bridge, build, open_database
from davbridge.clock import SystemClock
from davbridge.config.model import Config
from davbridge.edge import Limits, Tls, make_server
from davbridge.emulator import Emulator
from davbridge.mirror.folder import Mirrors
from davbridge.store.database import Database
from tests.support.clock import HastyClock
from tests.support.dav import Dav
from tests.support.ports import free_port, wait_for_port

USERS = {"alice": "secret", "bob": "hidden"}
_CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHES = {name: _CHEAP.hash(password) for name, password in USERS.items()}
"""Each process of each bridge compares them, and nobody tries to break the tests' passwords."""
MOUNTS = {"me": "business", "team": "documents"}
"""Policy, and the emulator's drive behind it."""


@dataclass
class World:
    """`http` and `https` are base URLs; `context` trusts the certificate of `https` and of nginx."""

    emulator: Emulator
    bridge: Bridge
    clock: HastyClock
    folder: Path
    http: str
    https: str = ""
    context: ssl.SSLContext | None = None
    nginx: str = ""
    workers: str = ""
    """The address of a second bridge on the same emulator: two worker processes, with pollers and push."""
    workers_state: Path | None = None
    certificates: tuple[Path, Path] | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def dav(self, mount: str = "me", user: str = "alice", base: str = "") -> Dav:
        """A client at the root of a mount."""
        return Dav(base or self.http, user, USERS[user], f"/{mount}/", self.context)

    def forget(self) -> None:
        """Make the bridge know nothing of the drives."""
        for driver in self.bridge.drivers.values():
            driver.forget()
        if self.workers_state:
            mirrors = Mirrors(self.workers_state / "mirror", SystemClock())
            mirrors.clear()
            mirrors.close()

    def reset(self) -> None:
        """Empty drives and an empty state file."""
        self.emulator.reset()
        self.forget()
        for account in self.bridge.accounts.values():
            account.forget()
        _empty(self.bridge.database)
        if self.workers_state:
            database = open_database(self.workers_state)
            _empty(database)
            database.close()


def _empty(database: Database) -> None:
    with database.transaction() as transaction:
        kept = ("locks", "dead_properties", "side_files", "uploads", "pauses", "paces", "journal")
        for table in (*kept, "redirects_sent", "not_following"):
            transaction.execute(f"DELETE FROM {table}")


def configuration(emulator: Emulator, folder: Path, **policy: object) -> Config:
    """The configuration of the tests' bridge; `policy` is added to both policies."""
    secret = folder / "secret"
    secret.write_text(emulator.client_secret)
    cloud = {"graph": emulator.graph_url, "login": emulator.login_url, "ca_file": emulator.ca_file}
    account = {"tenant": emulator.tenant, "client_id": emulator.client_id, "sign_in": "client_secret"}
    both = {"account": "contoso", "download": "proxy", "access": {"alice": "write"}, **policy}
    site = {"driver": "sharepoint", "site": emulator.site_url, "library": "Documents"}
    return Config.model_validate(
        {
            "server": {"listen": "127.0.0.1:0", "nextcloud_chunks": "64M"},
            "state": {"directory": str(folder / "state")},
            "accounts": {"contoso": {**account, "client_secret": {"file": str(secret)}, "cloud": cloud}},
            "policies": {
                "me": {"mount": "/me", "driver": "onedrive", "user": emulator.user, **both},
                "team": {"mount": "/team", **site, **both, "access": {"alice": "write", "bob": "read"}},
            },
            "users": {name: {"password": hashed} for name, hashed in HASHES.items()},
        }
    )


@contextmanager
def running_world(folder: Path, *, threads: int = 16, **policy: object) -> Iterator[World]:
    """Emulator and bridge, started; stopped afterwards. It answers `threads` requests at a time."""
    with Emulator.start() as emulator:
        clock = HastyClock()
        bridge = build(configuration(emulator, folder, **policy), clock, Limits(threads=threads))
        bridge.server.start()
        world = World(emulator, bridge, clock, folder, f"http://{bridge.server.addresses[0]}")
        try:
            yield world
        finally:
            world.stack.close()
            bridge.server.drain(5)
            bridge.close()


def add_tls(world: World) -> None:
    """Serve the same application over TLS, too."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = world.folder / "chain.pem", world.folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    world.context = ssl.create_default_context()
    authority.configure_trust(world.context)
    server = make_server(world.bridge.application, ["127.0.0.1:0"], Tls(str(chain), str(key)), Limits(threads=16))
    server.start()
    world.stack.callback(server.drain, 5)
    world.https = f"https://{server.addresses[0]}"
    world.certificates = chain, key


def add_nginx(world: World, program: str) -> None:
    """An nginx that ends TLS in front of the plain server, configured as docs/operations.md says, without headers.

    It passes the Host on and adds no X-Forwarded header: the usual complaint, which must work all the same.
    """
    assert world.certificates
    port = free_port()
    chain, key = world.certificates
    folder = world.folder / "nginx"
    folder.mkdir()
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
        events {{ worker_connections 256; }}
        http {{
            access_log off; client_max_body_size 0; {temporary}
            server {{
                listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};
                error_page 400 = /.davbridge/bad-request;
                location = /.davbridge/bad-request {{
                    internal;
                    add_header DAV "1, 2, 3" always;
                    add_header MS-Author-Via DAV always;
                    if ($request ~ "^OPTIONS \\* ") {{ return 200; }}
                    return 400;
                }}
                location / {{
                    proxy_pass {world.http}; proxy_http_version 1.1; proxy_set_header Host $http_host;
                    proxy_request_buffering off; proxy_buffering off; proxy_read_timeout 300s;
                    proxy_set_header Connection "";
                }}
            }}
        }}
        """
    )
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)])

    def stop() -> None:
        process.terminate()
        process.wait(10)

    world.stack.callback(stop)
    wait_for_port(port)
    world.nginx = f"https://127.0.0.1:{port}"


def eventually(check: object, seconds: float = 5.0) -> None:
    """Wait for `check()` to be true: for what happens in another thread of the program."""
    end = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
