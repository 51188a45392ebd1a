"""What to type next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

from davbridge.cli.telling import program
from davbridge.edge import parse_listen


def farewell(path: Path, listen: str, policies: dict[str, dict[str, Any]], user: str, password: str) -> str:
    """Lines to paste, each one line. `password`: one that was made here, or empty for one that the person knows."""
    command = program("davbridge")
    config = "" if path.absolute() == Path("config.yaml").absolute() else f" --config {shlex.quote(str(path))}"
    lines = [
        f"{path} is written. To serve:",
        f"  {command} serve{config}",
        "As a service of the system: docs/operations.md, systemd.",
    ]
    base = _base(listen)
    if not base:
        return "\n".join(lines)
    known = password or "PASSWORD"
    mounts = [quote(one["mount"]) for one in policies.values()]
    mount = mounts[0]
    rclone = program("rclone")
    secret = f"$({rclone} obscure {shlex.quote(known)})"
    remote = (
        f"--webdav-url {base}{mount} --webdav-user {shlex.quote(user)} --webdav-pass {secret} --webdav-vendor owncloud"
    )
    lines += [
        "Then, from another terminal or program:",
        *(f"  {base}{one}/" for one in mounts),
        f" user {user}"
        + (f", password {password}  (it is shown this once)" if password else ", and the password you typed"),
        " rclone",
        f"  mkdir -p ~/davbridge; {rclone} mount {remote} --vfs-cache-mode writes :webdav: ~/davbridge",
        " davfs2 (on kernels from 6.15 on with buf_size 64 in /etc/davfs2/davfs2.conf)",
        f"  sudo mkdir -p /mnt/davbridge; sudo mount -t davfs {base}{mount} /mnt/davbridge",
        " GNOME Files, KDE",
        f"  {base.replace('http', 'dav', 1)}{mount}/      {base.replace('http', 'webdav', 1)}{mount}/",
        " macOS Finder: Go, Connect to Server (Cmd-K)",
        f"  {base}{mount}/",
        " Windows (wants TLS, or BasicAuthLevel 2)",
        f"  net use * {base}{mount} /user:{user}",
        f"The status page is {base}/.davbridge/, for {user} with the same password (`admin: true` in {path}).",
        "docs/clients.md has what each client is known for.",
    ]
    return "\n".join(lines)


def _base(listen: str) -> str:
    """The address on this machine; empty for a Unix socket, which no client mounts."""
    where = parse_listen(listen)
    if isinstance(where, str):
        return ""
    host, port = where
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
