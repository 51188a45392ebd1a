"""A DAV client that says what it sends: `dav.propfind("a.txt", depth=0, check=207)`.

It adds nothing by itself but Host and credentials, encodes nothing, follows nothing.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from tests.support import leaks

Check = int | tuple[int, ...]
D = "{DAV:}"


@dataclass
class Resource:
    """One response element: `found` and `missing` map Clark names to text (or the element's XML for nested ones)."""

    href: str
    found: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    status: int = 0
    """Of the response as a whole, where it has one."""

    def __getitem__(self, name: str) -> str:
        return self.found[name if name.startswith("{") else D + name]

    @property
    def missing(self) -> set[str]:
        return {name for name, status in self.statuses.items() if status == 404}


@dataclass
class Answer:
    """A response. Header names are looked up in any case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def etag(self) -> str:
        return self.header("ETag")

    @property
    def token(self) -> str:
        """The bare lock token."""
        return self.header("Lock-Token").strip("<>")

    @property
    def text(self) -> str:
        body = gzip.decompress(self.body) if self.header("Content-Encoding") == "gzip" else self.body
        return body.decode()

    @property
    def resources(self) -> list[Resource]:
        """The parts of a multistatus, in order."""
        return [_resource(node) for node in etree.fromstring(self.text.encode()).iter(D + "response")]

    @property
    def sync_token(self) -> str:
        return str(etree.fromstring(self.text.encode()).findtext(D + "sync-token"))

    @property
    def one(self) -> Resource:
        """The only part."""
        (resource,) = self.resources
        return resource


def _resource(node: Any) -> Resource:
    whole = node.findtext(D + "status")
    resource = Resource(node.findtext(D + "href"), status=int(whole.split()[1]) if whole else 0)
    for part in node.iter(D + "propstat"):
        status = int(part.findtext(D + "status").split()[1])
        for element in part.find(D + "prop"):
            resource.statuses[element.tag] = status
            if status == 200:
                inner = "".join(etree.tostring(child, encoding="unicode") for child in element)
                resource.found[element.tag] = inner or (element.text or "")
    return resource


class Wire:
    """The connection, shared by all clients that were made from one; from the address `source`, where it is given."""

    def __init__(self, base: str, context: ssl.SSLContext | None, source: str = "") -> None:
        self._parts = urlsplit(base)
        self._context = context
        self._source = (source, 0) if source else None
        self._connection: http.client.HTTPConnection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._parts.hostname or "", self._parts.port
            if self._parts.scheme == "https":
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=60, source_address=self._source, context=self._context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=60, source_address=self._source)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Dav:
    """One user on one server. Paths are relative to `root` unless they begin with `/`; both are raw (encoded)."""

    def __init__(
        self,
        base: str,
        user: str,
        password: str,
        root: str = "/",
        context: ssl.SSLContext | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.base = base
        self.root = root.rstrip("/") + "/"
        self.auth: str | None = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.agent = ""
        self.headers: dict[str, str] = {}
        self._user = (user, password)
        self._wire = wire or Wire(base, context)

    def at(self, root: str) -> Dav:
        """The same user below another folder."""
        user, password = self._user
        return Dav(self.base, user, password, root, wire=self._wire)

    def as_agent(self, agent: str, **headers: str) -> Dav:
        """The same place, asked by another program that sends `headers` always."""
        other = self.at(self.root)
        other.agent = agent
        other.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return other

    @property
    def host(self) -> str:
        return urlsplit(self.base).netloc

    def path(self, path: str) -> str:
        return path if path.startswith("/") or path == "*" else self.root + path

    def url(self, path: str) -> str:
        """The absolute URL, for Destination and If."""
        return self.base + self.path(path)

    def request(
        self,
        method: str,
        path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | Iterable[bytes] | None = None,
        check: Check | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Send one request; `check` is the status, or the statuses, that the caller expects."""
        if isinstance(body, str):
            body = body.encode()
        fields = {**self.headers, **(headers or {})}
        if self.agent:
            fields.setdefault("User-Agent", self.agent)
        if self.auth and not anonymous:
            fields.setdefault("Authorization", self.auth)
        chunked = body is not None and not isinstance(body, bytes)
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        elif body is not None or method in ("PUT", "POST"):
            fields.setdefault("Content-Length", str(len(body or b"")))
        answer = self._send(method, self.path(path), fields, body, chunked=chunked)
        if check is not None:
            wanted = check if isinstance(check, tuple) else (check,)
            assert answer.status in wanted, f"{method} {self.path(path)}: {answer.status} {answer.body[:500]!r}"
        return answer

    def _send(self, method: str, path: str, fields: Mapping[str, str], body: Any, *, chunked: bool) -> Answer:
        reused = self._wire.is_open
        connection = self._wire.open()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value.encode())
            connection.endheaders(body, encode_chunked=chunked)
            response = connection.getresponse()
            answer = Answer(response.status, response.msg, response.read())
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if not reused or chunked:
                raise
            # a server may close an idle connection at any time: every client tries again on a fresh one
            return self._send(method, path, fields, body, chunked=chunked)
        except Exception:
            self.close()
            raise
        if response.will_close:
            self.close()
        leaks.look_at_answer(answer.status, answer.headers.items(), answer.body)
        return answer

    def close(self) -> None:
        self._wire.close()

    # -- verbs --------------------------------------------------------------------------------------------------

    def options(self, path: str = "", **more: Any) -> Answer:
        return self.request("OPTIONS", path, **more)

    def get(self, path: str = "", **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def head(self, path: str = "", **more: Any) -> Answer:
        return self.request("HEAD", path, **more)

    def put(self, path: str, body: bytes | str | Iterable[bytes] = b"", **more: Any) -> Answer:
        return self.request("PUT", path, body=body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self.request("DELETE", path, **more)

    def mkcol(self, path: str, **more: Any) -> Answer:
        return self.request("MKCOL", path, **more)

    def propfind(self, path: str = "", *, depth: int | str | None = 0, body: str = "", **more: Any) -> Answer:
        """`body`: a whole XML document, or the inside of `<D:prop>` when it begins with `<D:` or `<x:`."""
        headers = dict(more.pop("headers", None) or {})
        if depth is not None:
            headers["Depth"] = str(depth)
        if body and not body.startswith("<?xml"):
            body = (
                f'<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop>{body}</D:prop></D:propfind>'
            )
        return self.request("PROPFIND", path, headers=headers, body=body, **more)

    def report(
        self,
        path: str = "",
        token: str | None = "",
        *,
        level: int | str = "infinite",
        props: str = "<D:getetag/>",
        limit: int | str | None = None,
        **more: Any,
    ) -> Answer:
        """A sync-collection; `token` None leaves the element out, `props` is the inside of `<D:prop>`."""
        inside = "" if token is None else f"<D:sync-token>{token}</D:sync-token>"
        inside += f"<D:sync-level>{level}</D:sync-level>"
        inside += "" if limit is None else f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
        body = (
            f'<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:" xmlns:x="urn:x">{inside}<D:prop>{props}</D:prop>'
        )
        return self.request("REPORT", path, body=f"{body}</D:sync-collection>", **more)

    def search(
        self,
        path: str = "",
        where: str = "",
        *,
        props: str = "<D:displayname/>",
        scope: str = ".",
        depth: int | str = "infinity",
        rest: str = "",
        **more: Any,
    ) -> Answer:
        """A basicsearch; `where` is the inside of `<D:where>`, `rest` comes after it, `scope` may be relative."""
        inside = f"<D:select><D:prop>{props}</D:prop></D:select><D:from><D:scope><D:href>{scope}</D:href>"
        inside += f"<D:depth>{depth}</D:depth></D:scope></D:from>"
        inside += (f"<D:where>{where}</D:where>" if where else "") + rest
        body = f'<?xml version="1.0"?><D:searchrequest xmlns:D="DAV:" xmlns:x="urn:x"><D:basicsearch>{inside}'
        return self.request("SEARCH", path, body=f"{body}</D:basicsearch></D:searchrequest>", **more)

    def proppatch(self, path: str, set_: str = "", remove: str = "", **more: Any) -> Answer:
        """`set_` and `remove` are the insides of `<D:prop>`; `Z:` is Microsoft's namespace, `x:` is urn:x."""
        inside = f"<D:set><D:prop>{set_}</D:prop></D:set>" if set_ else ""
        inside += f"<D:remove><D:prop>{remove}</D:prop></D:remove>" if remove else ""
        spaces = 'xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:" xmlns:x="urn:x"'
        body = f'<?xml version="1.0"?><D:propertyupdate {spaces}>{inside}</D:propertyupdate>'
        return self.request("PROPPATCH", path, body=body, **more)

    def lock(self, path: str, *, owner: str = "alice", shared: bool = False, **more: Any) -> Answer:
        scope = "shared" if shared else "exclusive"
        body = (
            f'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
            f"<D:locktype><D:write/></D:locktype><D:owner><D:href>{owner}</D:href></D:owner></D:lockinfo>"
        )
        return self.request("LOCK", path, body=body, **more)

    def unlock(self, path: str, token: str, **more: Any) -> Answer:
        headers = {"Lock-Token": f"<{token}>", **(more.pop("headers", None) or {})}
        return self.request("UNLOCK", path, headers=headers, **more)

    def move(self, path: str, target: str, **more: Any) -> Answer:
        headers = {"Destination": self.url(target), **(more.pop("headers", None) or {})}
        return self.request("MOVE", path, headers=headers, **more)

    def copy(self, path: str, target: str, **more: Any) -> Answer:
        headers = {"Destination": self.url(target), **(more.pop("headers", None) or {})}
        return self.request("COPY", path, headers=headers, **more)
