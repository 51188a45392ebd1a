"""From a request to the WSGI application and back (PEP 3333)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from cheroot.wsgi import Gateway


class EdgeGateway(Gateway):
    """cheroot's gateway, without what it makes anew for each request."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override] # cheroot says None
        """The application's environ. Unlike cheroot's, without the process behind a UNIX socket."""
        request = self.req
        connection, server = request.conn, request.server
        path, query = request.split_target()
        return {
            **server.environ,
            "REQUEST_METHOD": request.method.decode(),
            "REQUEST_URI": request.uri.decode(),
            "PATH_INFO": path.decode("latin-1"),
            "QUERY_STRING": query.decode(),
            "SERVER_PROTOCOL": request.request_protocol.decode(),
            "REMOTE_ADDR": connection.remote_addr or "",
            "REMOTE_PORT": str(connection.remote_port or ""),
            "wsgi.input": request.rfile,
            "wsgi.input_terminated": request.chunked_read,
            "wsgi.url_scheme": request.scheme.decode(),
            **request.environ,
            **(connection.ssl_env or {}),
        }

    def respond(self) -> None:
        """Call the application and send what it gives, block by block."""
        response = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            for block in response:
                if block:
                    self.write(block)
            self.req.ensure_headers_sent()
        finally:
            if hasattr(response, "close"):
                response.close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """As PEP 3333 has it.

        Raises:
            RuntimeError: called twice.
        """
        if exc_info and self.req.sent_headers:
            raise exc_info[1]
        if self.started_response and not exc_info:
            raise RuntimeError("start_response was called twice")
        self.started_response = True
        self.req.status = status
        self.req.outheaders = headers
        self.remaining_bytes_out = next(
            (int(value) for name, value in headers if name.lower() == "content-length"), None
        )
        return self.write

    def write(self, chunk: bytes) -> None:
        """Send a block, never more than was announced.

        Raises:
            RuntimeError: before `start_response`.
            ValueError: the application gives more than its Content-Length.
        """
        if not self.started_response:
            raise RuntimeError("a block before start_response")
        left = self.remaining_bytes_out
        if left is not None:
            if len(chunk) > left:
                self.req.close_connection = True
                raise ValueError("the answer is longer than its Content-Length")
            self.remaining_bytes_out = left - len(chunk)
        self.req.ensure_headers_sent()
        self.req.write(chunk)


def constant_environ(server_name: str, software: str, port: str) -> dict[str, Any]:
    """What is the same for all requests of a listener."""
    return {
        "ACTUAL_SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "SERVER_NAME": server_name,
        "SERVER_PORT": port,
        "SERVER_SOFTWARE": software,
        "wsgi.errors": sys.stderr,
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
    }
