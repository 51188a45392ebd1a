"""An empty WSGI application: the floor under every small request that Python answers.

Run as `python -m bench.floor PORT [cheroot]`: it answers everything with 207 and a short body, on the bridge's own edge
or on a stock cheroot.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from cheroot.wsgi import Server

from davbridge.edge import make_server

_BODY = b'<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:"></D:multistatus>\n'


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """No work at all."""
    start_response(
        "207 Multi-Status",
        [("Content-Type", "application/xml; charset=utf-8"), ("Content-Length", str(len(_BODY)))],
    )
    return [_BODY]


if __name__ == "__main__":
    port = int(sys.argv[1])
    if sys.argv[2:] == ["cheroot"]:
        Server(("127.0.0.1", port), application).start()
    else:
        make_server(application, [f"127.0.0.1:{port}"]).start()
        threading.Event().wait()
