"""What a changed file means for a bridge that runs: what it takes over, and what it can only have from its start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from davbridge.config.model import Config, Server


@dataclass(frozen=True)
class Changes:
    """`config`: the new configuration with the parts of the running one that stay. Both lists are for people:
    `taken` says what became of accounts, policies and users, `left` which keys want a restart."""

    config: Config
    taken: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def sentence(self) -> str:
        again = "secrets and certificates were read again"
        told = ", ".join(self.taken) or (again if self.left else f"nothing has changed in the file; {again}")
        return f"{told}. Not without a restart: {', '.join(self.left)}" if self.left else told


def changes(running: Config, new: Config) -> Changes:
    """From the configuration that is served to the one in the file."""
    kept: dict[str, Any] = {
        key: getattr(running.server, key)
        for key in ("listen", "workers", "metrics")
        if getattr(running.server, key) != getattr(new.server, key)
    }
    # a listener either speaks TLS or does not; which certificate it shows may change
    if (running.server.tls is None) != (new.server.tls is None):
        kept["tls"] = running.server.tls
    left = [f"server.{key}" for key in kept]
    if running.state != new.state:
        left += [f"state.{key}" for key in type(new.state).model_fields if _differ(running.state, new.state, key)]
    config = new.model_copy(update={"server": new.server.model_copy(update=kept), "state": running.state})
    return Changes(config, tuple(_taken(running, config)), tuple(left))


def _taken(old: Config, new: Config) -> Iterator[str]:
    yield from (f"server.{key} changed" for key in Server.model_fields if _differ(old.server, new.server, key))
    for kind, before, after in (
        ("account", old.accounts, new.accounts),
        ("policy", old.policies, new.policies),
        ("user", old.users, new.users),
    ):
        yield from _of(kind, before, after)


def _of(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    yield from (f"{kind} {name} added" for name in new if name not in old)
    yield from (f"{kind} {name} removed" for name in old if name not in new)
    yield from (f"{kind} {name} changed" for name in new if name in old and new[name] != old[name])


def _differ(old: object, new: object, key: str) -> bool:
    return bool(getattr(old, key) != getattr(new, key))
