"""A folder as a page for people: names, sizes, dates, breadcrumbs; no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC
from functools import cache
from urllib.parse import quote, unquote

import jinja2
from markupsafe import Markup

from davbridge.dav.message import Headers, Request, Response
from davbridge.drivers.protocol import Item
from davbridge.paths import DAV_SAFE, fold

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
nav{font-size:1.2rem;margin-bottom:1rem;overflow-wrap:anywhere}
a{color:LinkText;text-decoration:none}a:hover{text-decoration:underline}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid color-mix(in srgb,CanvasText 15%,transparent)}
td:first-child{overflow-wrap:anywhere}th{font-weight:600}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.empty{opacity:.7}
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{ title }}</title><style>{{ style }}</style></head><body>
<nav aria-label="Path">{% for name, href in crumbs %}<a href="{{ href }}">{{ name }}</a> / {% endfor %}</nav>
{% if rows %}<table><thead><tr><th>Name</th><th class="n">Size</th><th class="n">Modified (UTC)</th></tr></thead><tbody>
{% for row in rows %}<tr><td><a href="{{ row.href }}">{{ row.icon }} {{ row.name }}</a></td>\
<td class="n">{{ row.size }}</td><td class="n">{{ row.date }}</td></tr>
{% endfor %}</tbody></table>{% else %}<p class="empty">This folder is empty.</p>{% endif %}
</body></html>
"""


@cache
def _template() -> jinja2.Template:
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_PAGE)


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page_headers() -> Headers:
    """The headers of a listing, for GET and HEAD."""
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", _policy()),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"),
    ]


def page(request: Request, children: Iterable[Item]) -> Response:
    """The listing, folders first. Links begin with the request's own path, so that a proxy's prefix holds."""
    base = request.prefix.rstrip("/") + "/"
    items = sorted(children, key=lambda item: (not item.is_folder, fold(item.name)))
    rows = [_row(item, base) for item in items]
    crumbs = _crumbs(request.prefix)
    title = crumbs[-1][0] if len(crumbs) > 1 else "davbridge"
    style = Markup(_STYLE)  # noqa: S704 - our own constant
    text = _template().render(title=title, style=style, crumbs=crumbs, rows=rows)
    return Response(200, page_headers(), [text.encode("utf-8", "replace")])


def _row(item: Item, base: str) -> dict[str, str]:
    return {
        "href": base + quote(item.name, safe=DAV_SAFE) + ("/" if item.is_folder else ""),
        "name": item.name,
        "icon": "\N{FILE FOLDER}" if item.is_folder else "\N{PAGE FACING UP}",
        "size": "" if item.is_folder else human_size(item.size),
        "date": f"{item.modified.astimezone(UTC):%Y-%m-%d %H:%M}",
    }


def _crumbs(prefix: str) -> Sequence[tuple[str, str]]:
    crumbs = [("\N{HOUSE BUILDING}", "/")]
    href = "/"
    for segment in [segment for segment in prefix.split("/") if segment]:
        href += segment + "/"
        crumbs.append((unquote(segment), href))
    return crumbs


def human_size(size: int) -> str:
    """`512 B`, `1.4 MB`: decimal units, as file managers show them."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
