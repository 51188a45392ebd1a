"""The listener on this machine to which a browser comes back after a sign-in (RFC 8252 §7.3)."""

from __future__ import annotations

import contextlib
import hmac
import queue
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>davbridge</title>
<p>{}You can close this page and go back to davbridge.</p>"""


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Loopback:
    """Listens on a free port of both loopback addresses: browsers take either for `localhost`. For a `with` block.

    Each connection has a thread of its own: browsers open some that they may never use.
    """

    def __init__(self) -> None:
        self._answers: queue.Queue[dict[str, str]] = queue.Queue(maxsize=8)
        handler = _handler(self._answers)
        self._servers: list[ThreadingHTTPServer] = [ThreadingHTTPServer(("127.0.0.1", 0), handler)]
        self.port: int = self._servers[0].server_address[1]
        with contextlib.suppress(OSError):  # no IPv6 here
            self._servers.append(_Server6(("::1", self.port), handler))
        self.uri = f"http://localhost:{self.port}"

    def __enter__(self) -> Loopback:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.1,), name="sign-in", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def wait(self, state: str, seconds: float) -> dict[str, str] | None:
        """The answer that carries our `state`; None when it does not come. Others are not ours and do no harm."""
        with contextlib.suppress(queue.Empty):
            while True:
                answer = self._answers.get(timeout=seconds)
                if hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
                    return answer
        return None


def _handler(answers: queue.Queue[dict[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            answer = dict(parse_qsl(urlsplit(self.path).query))
            known = "state" in answer and ("code" in answer or "error" in answer)
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            refused = "Microsoft has refused the sign-in; davbridge says why. " if "error" in answer else ""
            self.wfile.write(_PAGE.format(refused).encode() if known else b"")
            if known:
                with contextlib.suppress(queue.Full):
                    answers.put_nowait(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            """Nothing: the line would have the code in it."""

    return Handler
