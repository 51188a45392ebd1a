"""What clients meet first: the listeners, whichever bridge serves behind them, and what the public address says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from davbridge.config import Config
from davbridge.edge import EdgeServer, Limits, Switch, Tls, make_server


@dataclass(frozen=True)
class Front:
    """The listeners, and what they serve at the moment."""

    server: EdgeServer
    main: Switch
    metrics: Switch

    @classmethod
    def open(cls, config: Config, limits: Limits | None) -> Front:
        """Nothing listens yet, and nothing is served.

        Raises:
            ConfigError: a certificate cannot be read, an address is malformed.
        """
        main, metrics = Switch(_nothing), Switch(_nothing)
        beside = config.server.metrics
        server = make_server(
            main, config.server.listen, tls_files(config), limits, [(beside, metrics)] if beside else []
        )
        return cls(server, main, metrics)


def tls_files(config: Config) -> Tls | None:
    """Certificate and key, if the listeners have them."""
    tls = config.server.tls
    return Tls(str(tls.certificate), str(tls.key)) if tls else None


def hosts(config: Config) -> frozenset[str]:
    """The names by which clients know us besides the one that they ask for."""
    proxy = config.server.behind_proxy
    name = urlsplit(proxy.public_url).hostname if proxy and proxy.public_url else None
    return frozenset({name.lower()} if name else ())


def poke(folder: Path) -> Callable[[str], None]:
    """Touches the file that the drive's poller looks at, in whatever process it is."""

    def touch(name: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{name}.poke").touch(mode=0o600)

    return touch


def _nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("503 Service Unavailable", [("Content-Length", "0")])
    return []
