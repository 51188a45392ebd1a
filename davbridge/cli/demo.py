"""`davbridge demo`: the bridge on the emulator, in one command, with lines to paste."""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import signal
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import yaml

from davbridge.auth import hash_password, make_password
from davbridge.cli.telling import program
from davbridge.config import load
from davbridge.edge import parse_listen
from davbridge.errors import ConfigError
from davbridge.logs import configure_logging
from davbridge.workers import run

if TYPE_CHECKING:
    from davbridge.emulator import Emulator

USER = "demo"
_USUAL_PORT = 8080


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 for any. Default: 8080, or any when that is in use.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line with the addresses instead of the page.")
@click.option("--verbose", is_flag=True, help="Log each request.")
def demo(port: int | None, as_json: bool, verbose: bool) -> None:
    """Serve an emulated OneDrive and SharePoint library on this machine. Nothing leaves it, and nothing is kept."""
    from davbridge.emulator import Emulator  # noqa: PLC0415 - only the demo has the emulator

    configure_logging(logging.INFO if verbose else logging.WARNING)
    # its terminal was closed: it ends as by SIGTERM, and leaves nothing
    signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    port = _free_port(port)
    password = make_password()
    with tempfile.TemporaryDirectory(prefix="davbridge-demo-") as name, Emulator.start() as emulator:
        folder = Path(name)
        seed(emulator)
        _sample(folder / "sample")
        config = load(_write_config(folder, emulator, password, port))

        def ready(addresses: Sequence[str]) -> None:
            base = f"http://{addresses[0]}"
            if as_json:
                click.echo(json.dumps({**emulator.facts(), "base": base, "user": USER, "password": password}))
            else:
                click.echo(page(base, password, folder))

        run(config, ready=ready)
        if not as_json:
            click.echo("Stopped; nothing is left.")


def _free_port(wanted: int | None) -> int:
    """The port to listen on: the usual one, or any when that is in use.

    Raises:
        ConfigError: the wanted one cannot be had.
    """
    import socket  # noqa: PLC0415 - one look, here only

    port = _USUAL_PORT if wanted is None else wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if wanted is not None:
                reason = "may not be used by this user" if error.errno == errno.EACCES else "is in use"
                raise ConfigError(f"port {port} {reason}: name another one with --port; 0 takes any") from None
            click.echo(f"Port {port} is in use; taking another one.", err=True)
            return 0
    return port


def _write_config(folder: Path, emulator: Emulator, password: str, port: int) -> Path:
    """A configuration as a person would write it, and the small one that davfs2 needs."""
    (folder / "secret").write_text(emulator.client_secret)
    # kernels from 6.15 on read folders in larger pieces than davfs2's own default buffer
    (folder / "davfs2.conf").write_text("buf_size 64\nuse_locks 1\n")
    listen = f"127.0.0.1:{port}"
    parse_listen(listen)
    cloud = {"graph": emulator.graph_url, "login": emulator.login_url, "ca_file": emulator.ca_file}
    account = {
        "tenant": emulator.tenant,
        "client_id": emulator.client_id,
        "sign_in": "client_secret",
        "client_secret": {"file": str(folder / "secret")},
        "cloud": cloud,
    }
    # proxy: no client trusts the emulator's throwaway certificate, so none could follow a redirect
    both = {"account": "emulated", "download": "proxy", "access": {USER: "write"}}
    config = {
        "server": {"listen": listen},
        "state": {"directory": str(folder / "state")},
        "accounts": {"emulated": account},
        "policies": {
            "me": {"mount": "/me", "driver": "onedrive", "user": emulator.user, **both},
            "team": {
                "mount": "/team",
                "driver": "sharepoint",
                "site": emulator.site_url,
                "library": "Documents",
                **both,
            },
        },
        "users": {USER: {"password": hash_password(password), "admin": True}},
    }
    path = folder / "config.yaml"
    path.touch(0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return path


def seed(emulator: Emulator) -> None:
    """Some files to look at."""
    day = datetime(2026, 3, 3, 9, 10, 11, tzinfo=UTC)
    mine, team = emulator.drive("business"), emulator.drive("documents")
    mine.put("/Welcome.txt", b"This file lies in an emulated OneDrive. Change it, move it, delete it.\n", modified=day)
    mine.put(
        "/Documents/Travel plan.md",
        b"# Travel plan\n\n1. Mount the drive.\n2. Forget that it is there.\n",
        modified=day,
    )
    mine.put("/Documents/Fox \N{FOX FACE}.txt", b"Names may hold what Unicode has.\n", modified=day)
    mine.put("/Documents/100 % #1 & more + [tests].csv", b"name,needs escaping\nthis one,yes\n", modified=day)
    mine.mkdir("/Pictures")
    team.put("/Read me first.txt", b"A SharePoint document library, shared by the team.\n", modified=day)
    team.put("/Reports/2026/March.csv", b"day,files\n1,120\n2,98\n", modified=day)


def _sample(folder: Path) -> None:
    """A small folder to copy from: the current one may hold anything."""
    (folder / "more").mkdir(parents=True)
    (folder / "note.txt").write_text("Copied by rclone.\n")
    (folder / "more" / "Fox \N{FOX FACE}.txt").write_text("Names may hold what Unicode has.\n")
    (folder / "more" / "zeros.bin").write_bytes(bytes(1_000_000))


def page(base: str, password: str, folder: Path) -> str:
    """What a person reads: where, who, and lines to paste. Each command is one line."""
    host = urlsplit(base).netloc
    auth = f"-u {USER}:{password}"
    rclone = program("rclone")
    remote = f"--webdav-url {base}/me --webdav-user {USER} --webdav-pass $({rclone} obscure {password})"
    remote += " --webdav-vendor owncloud"  # `other` does not keep modification times
    sample = shlex.quote(str(folder / "sample"))
    sudo = "" if os.geteuid() == 0 else "sudo "
    conf = shlex.quote(str(folder / "davfs2.conf"))
    davfs = f"printf '{USER}\\n{password}\\n' | {sudo}mount -t davfs -o conf={conf} {base}/me /mnt/davbridge"
    return f"""
davbridge serves an emulated OneDrive and an emulated SharePoint library:

  OneDrive:   {base}/me/
  SharePoint: {base}/team/
  status:     {base}/.davbridge/
  user:       {USER}
  password:   {password}

Paste into another terminal; the same works with /team in place of /me:

 curl: upload hello.txt, download it under another name, compare
  echo hello > hello.txt; curl --fail -sS {auth} -T hello.txt {base}/me/
  curl --fail -sS {auth} -o hello-again.txt {base}/me/hello.txt; cmp hello.txt hello-again.txt && echo the same
 rclone: copy a sample folder, compare, mount
  {rclone} copy {remote} {sample} :webdav:copied
  {rclone} check --download {remote} {sample} :webdav:copied
  mkdir -p /tmp/davbridge-rclone; {rclone} mount {remote} :webdav: /tmp/davbridge-rclone --vfs-cache-mode writes
 davfs2: as a folder of the system
  {sudo}mkdir -p /mnt/davbridge
  {davfs}
 cadaver: a prompt (it asks for user and password)
  cadaver {base}/me/
 Windows (once as administrator, since this demo has no TLS: set BasicAuthLevel of the WebClient service to 2)
  net use * {base}/me /user:{USER} {password}
 macOS Finder: Go, Connect to Server (Cmd-K)
  open http://{USER}@{host}/me/
 browser
  {base}/me/

Ctrl-C ends it."""
