"""From what is known to HTML: templates that escape whatever they are given, and one style."""

from __future__ import annotations

from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from davbridge.clock import Clock
from davbridge.page import words
from davbridge.page.web import PLACE


class Pages:
    """The templates of this folder. All that they are given is escaped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.style = (resources.files(__package__) / "templates" / "style.css").read_text("utf-8")
        self._templates = jinja2.Environment(
            autoescape=True,
            loader=jinja2.PackageLoader(__package__),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "size": words.human_size,
            "printable": words.printable,
            "said": words.said,
            "moment": words.moment,
            "spell": words.spell,
            "time": self._time,
            "utc": words.utc,
            "part": lambda text: quote(text, safe="", errors="replace"),
        }
        style = Markup(self.style)  # noqa: S704 - our own file
        self._templates.globals |= {"style": style, "place": PLACE}

    def render(self, template: str, /, **values: Any) -> str:
        """A page; `template` without its ending."""
        now = self._clock.now().timestamp()
        return self._templates.get_template(f"{template}.html").render(now=now, **values)

    def _time(self, seconds: float) -> Markup:
        """When, in both ways."""
        now, text = self._clock.now().timestamp(), words.utc(seconds)
        machine = text.removesuffix(" UTC").replace(" ", "T") + "Z"
        return Markup('<time datetime="{}">{}, <span class="soft">{}</span></time>').format(
            machine, text, words.ago(seconds, now)
        )
