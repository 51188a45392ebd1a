"""The one place that touches `requests`: send once, and say how it went in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import requests
import urllib3
from requests.adapters import HTTPAdapter

from davbridge.errors import BadUpstream
from davbridge.transport.message import Outgoing, Reply

CONNECT_SECONDS = 10.0


class Broken(Exception):
    """The connection failed. `sent` false: the request cannot have reached the server."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class WireStream:
    """An answer's body on the wire."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, empty at the end."""
        try:
            # read1-like: whatever has come, at least one byte; no decoding (identity was asked for)
            return bytes(self._response.raw.read(size, decode_content=False))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BadUpstream("the connection to Microsoft broke in the middle of a download") from error

    def close(self) -> None:
        self._response.close()

    def abort(self) -> None:
        """As `Stream.abort`."""
        # closing would wait for the thread that reads; and a response that was read to its end has let its
        # connection go to somebody else
        with suppress(ValueError, RuntimeError, OSError):
            self._response.raw.shutdown()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Wire:
    """A pool of connections. Thread-safe. `verify`: True, or the path of a CA file that wins over the environment's."""

    def __init__(self, verify: str | bool, connections: int) -> None:
        self._verify = verify
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=16, pool_maxsize=connections, pool_block=False, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.clear()
        # without this a ~/.netrc would give hosts a password, and take the place of the bearer token
        self._session.auth = _as_it_is

    def send(self, request: Outgoing, headers: Mapping[str, str], timeout: float) -> Reply:
        """Send once; redirects are not followed.

        Raises:
            Broken: no whole answer came.
            BadUpstream: the server's certificate is not trusted, or the file that says which are is missing.
        """
        # `verify` goes with each request: REQUESTS_CA_BUNDLE would win over the session's own setting
        verify = {} if self._verify is True else {"verify": self._verify}
        try:
            response = self._session.request(
                request.method,
                request.address,
                headers=dict(headers),
                data=request.data,
                timeout=(min(CONNECT_SECONDS, timeout), timeout),
                allow_redirects=False,
                stream=True,
                **verify,  # type: ignore[arg-type]
            )
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise BadUpstream("the certificate of Microsoft's server cannot be trusted") from error
            # a connection that ends without TLS's own farewell was cut like any other; nothing is wrong with TLS
            cut = "SSLEOFError" in str(error)
            raise Broken("connection lost" if cut else "TLS failed", sent=True) from error
        except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
            raise Broken("no connection", sent=False) from error
        except requests.ConnectionError as error:
            refused = isinstance(
                getattr(error.args[0] if error.args else None, "reason", None), urllib3.exceptions.NewConnectionError
            )
            raise Broken("connection lost", sent=not refused) from error
        except requests.RequestException as error:
            raise Broken("no answer", sent=True) from error
        except OSError as error:
            if "certificate bundle" not in str(error):
                raise
            # what `requests` says of one that was removed while we run
            raise BadUpstream("the file of trusted certificates cannot be read") from error
        fields = {name.lower(): value for name, value in response.headers.items()}
        if request.stream and response.status_code < 400:
            return Reply(response.status_code, fields, stream=WireStream(response))
        try:
            content = response.content
        except requests.RequestException as error:
            raise Broken("the answer broke off", sent=True) from error
        finally:
            response.close()
        return Reply(response.status_code, fields, content)

    def close(self) -> None:
        self._session.close()
