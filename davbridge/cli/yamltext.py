"""YAML as a person would write it: one key a line, and small mappings in braces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Braces(dict[str, Any]):
    """A mapping that stands in one line."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Braces, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)


def entries(section: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Named things (accounts, policies): their keys one a line, and what is a mapping below those in braces."""
    return {
        name: {key: _Braces(value) if isinstance(value, dict) else value for key, value in one.items()}
        for name, one in section.items()
    }


def rows(section: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Named things that are one line each (users)."""
    return {name: _Braces(one) for name, one in section.items()}


def text(value: Mapping[str, Any]) -> str:
    """Without a line break at the end."""
    dumped: str = yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return dumped.rstrip("\n")
