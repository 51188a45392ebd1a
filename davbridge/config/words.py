"""What PyYAML and pydantic find, in our words: what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_EXAMPLES = {
    "server": "{listen: 127.0.0.1:8080}",
    "tls": "{certificate: FILE, key: FILE}",
    "behind_proxy": "{trusted: [127.0.0.1/32]}",
    "trusted": "[127.0.0.1/32]",
    "public_url": "https://dav.example.com",
    "state": "{directory: /var/lib/davbridge}",
    "directory": "/var/lib/davbridge",
    "tenant": "contoso.onmicrosoft.com",
    "client_secret": "{file: PATH}, {env: NAME} or {credential: NAME}",
    "mount": "/me",
    "root": "/Projects",
    "access": "{alice: write}",
    "cache": "10G",
    "nextcloud_chunks": "20G",
    "user": "alice@contoso.com",
    "site": "https://contoso.sharepoint.com/sites/team",
    "library": "Documents",
    "accounts.*": "{tenant: …, client_id: …, sign_in: device_code}",
    "policies.*": "{mount: /me, account: …, driver: onedrive, access: {alice: write}}",
    "users.*": "{password: HASH}, with a HASH from `davbridge hash-password`",
}
_KINDS = {
    "string_type": "text, in quotes if it looks like a number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "path_type": "the name of a file or folder",
    "ip_v4_network": "a network such as 127.0.0.1/32 or ::1/128",
    "ip_v6_network": "a network such as 127.0.0.1/32 or ::1/128",
}
_EMPTY = ("too_short", "string_too_short")
_OPENED = {"flow mapping": "{", "flow sequence": "[", "quoted scalar": "quotation mark"}


def told(error: Mapping[str, Any]) -> str:
    """The sentence for one error of pydantic's."""
    kind, place = error["type"], error["loc"]
    if kind == "missing":
        return "the key is missing"
    if kind in _EMPTY:
        return "must not be empty"
    if kind == "literal_error":
        return f"must be {error['ctx']['expected']}"
    if kind in _KINDS:
        is_many = isinstance(error["input"], list | dict)
        form = "one text" if kind == "string_type" and is_many else _KINDS[kind]
        return f"must be {form}{_example(place)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:] if message else kind


def _example(place: Sequence[str | int]) -> str:
    names = [part for part in place if isinstance(part, str)]
    keys = (f"{names[-2]}.*", names[-1]) if len(names) == 2 else names[-1:]  # `users.alice`: alice is no key of ours
    found = next((_EXAMPLES[key] for key in keys if key in _EXAMPLES), "")
    return f", such as {found}" if found else ""


def not_yaml(error: yaml.MarkedYAMLError) -> str:
    """What PyYAML cannot read. A bracket or quotation mark that is never closed is told with the line it is in."""
    problem = error.problem or "it cannot be read"
    if r"'\t'" in problem:
        return "this is not valid YAML: tabs cannot indent, only spaces can"
    opened = next((mark for words, mark in _OPENED.items() if words in (error.context or "")), "")
    if opened and error.context_mark:
        problem += f"; the {opened} of line {error.context_mark.line + 1} may not be closed"
    return f"this is not valid YAML: {problem}"
