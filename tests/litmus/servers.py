"""The servers besides the bridge of the session: one with two workers, stock WsgiDAV and Apache's mod_dav."""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from davbridge.emulator import Emulator
from tests.support.ports import free_port, wait_for_port
from tests.support.serving import serving, write_configuration

USER, PASSWORD = "alice", "secret"
_SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
_MODULES = Path("/usr/lib/apache2/modules")


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server process that listens on `port`."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def two_workers(folder: Path) -> Iterator[str]:
    """The bridge in two processes; the URL of its library."""
    with (
        Emulator.start() as emulator,
        serving(write_configuration(emulator, folder, listen="127.0.0.1:0", workers=2)) as bridge,
    ):
        yield f"http://{bridge.address}/team/"


@contextmanager
def stock_wsgidav(folder: Path) -> Iterator[str]:
    """WsgiDAV as it comes, on a local folder; its URL."""
    port, root = free_port(), folder / "root"
    root.mkdir()
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(root)},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "property_manager": True,
        "verbose": 1,
    }
    (folder / "wsgidav.yaml").write_text(json.dumps(settings))
    program = str(Path(sys.executable).parent / "wsgidav")
    with running([program, "--config", str(folder / "wsgidav.yaml")], port):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def apache(folder: Path) -> Iterator[str]:
    """Apache with mod_dav on a local folder; its URL."""
    program = shutil.which("apache2", path=_SBIN)
    if program is None or not (_MODULES / "mod_dav.so").exists():
        pytest.skip("Apache with mod_dav is not installed")
    port, root = free_port(), folder / "root"
    root.mkdir()
    users = folder / "users"
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True)
    users.write_text(f"{USER}:{hashed.stdout.strip()}\n")
    names = "mpm_event authn_core authn_file authz_core authz_user auth_basic dav dav_fs"
    modules = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in names.split())
    # Apache refuses to serve as root, and its other user must be able to get at the folder
    as_root = getpass.getuser() == "root"
    if as_root:
        for part in (folder, *folder.parents):
            if part == Path("/tmp"):
                break
            part.chmod(0o755)
        for part in (folder, root):
            shutil.chown(part, "www-data", "www-data")
    (folder / "apache.conf").write_text(
        f"""
        ServerName localhost
        ServerRoot {folder}
        Listen 127.0.0.1:{port}
        PidFile {folder}/pid
        ErrorLog {folder}/error.log
        Mutex file:{folder} default
        {modules}
        {"User www-data" if as_root else ""}
        {"Group www-data" if as_root else ""}
        DocumentRoot {root}
        DavLockDB {folder}/lockdb
        <Directory {root}>
            Dav On
            AuthType Basic
            AuthName test
            AuthUserFile {users}
            Require valid-user
        </Directory>
        """
    )
    with running([program, "-X", "-f", str(folder / "apache.conf")], port):
        yield f"http://127.0.0.1:{port}/"
