"""How a file is handed to a browser: its name, and whether it may run in our name.

A library holds what others have put there. HTML, SVG and XML are handed out as attachments and in a sandbox, so that a
script in them never acts as the person who reads (facts: threats).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from davbridge.dav.message import Headers
from davbridge.drivers.protocol import Item

_ACTIVE = re.compile(
    r"(?i)^(text/html|text/xml|text/xsl|application/(xhtml\+xml|xml|[a-z.+-]+\+xml|javascript)|image/svg\+xml)"
)
_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\%]')


def content_headers(item: Item) -> Headers:
    """Content-Type, Content-Disposition with the file's name (RFC 6266), and a policy that lets nothing run."""
    kind = item.content_type or "application/octet-stream"
    active = bool(_ACTIVE.match(kind))
    plain = _UNSAFE.sub("_", item.name)
    name = f'filename="{plain}"'
    if plain != item.name:
        name += f"; filename*=UTF-8''{quote(item.name, safe='')}"
    return [
        ("Content-Type", kind),
        ("Content-Disposition", f"{'attachment' if active else 'inline'}; {name}"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ]
