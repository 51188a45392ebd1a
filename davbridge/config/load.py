"""Reading the file: every mistake is one sentence with its line, and what was probably meant."""

from __future__ import annotations

import difflib
import ssl
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from davbridge.config.account import Account, Cloud
from davbridge.config.base import SecretPlace
from davbridge.config.model import Config, Tls
from davbridge.config.words import not_yaml, told
from davbridge.errors import ConfigError

Place = tuple[str | int, ...]


class _Refused(yaml.MarkedYAMLError):
    """What YAML allows and this file does not."""


def load(path: Path) -> Config:
    """The configuration in `path`. Relative paths in it are relative to its folder.

    Raises:
        ConfigError: one line for each mistake, `file:line: where: what`.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8") from None
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        _refuse_repeated_keys(root)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = str(error.problem) if isinstance(error, _Refused) else not_yaml(error)
        raise ConfigError(f"{path}:{line}: {message}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is not valid YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:  # a thirteenth month
        raise ConfigError(f"{path}: a value that looks like a date or a number is none; quote it: {error}") from None
    if data is None:
        raise ConfigError(f"{path}: the file is empty; config.example.yaml shows what belongs into it")
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: the file must be keys with values; config.example.yaml shows which")
    try:
        config = _resolved(Config.model_validate(data), path.parent)
    except ValidationError as error:
        raise _error(path, root, list(_problems(error))) from None
    if problems := list(_contradictions(config)):
        raise _error(path, root, problems)
    return config


def _problems(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Each mistake once: a key that is missing since it is misspelt, and what pydantic tried besides, are left out."""
    errors = error.errors()
    guesses = {(*one["loc"][:-1], _guess(one)) for one in errors if one["type"] == "extra_forbidden"}
    for one in errors:
        place = tuple(one["loc"])
        if one["type"] == "extra_forbidden":
            guess = _guess(one)
            yield place, "the key is not known" + (f"; did you mean {guess!r}?" if guess else "")
        elif place not in guesses and not _other_branch(one):
            yield place, told(typing.cast(Mapping[str, Any], one))


def _guess(error: Any) -> str:
    """The known key that a misspelt one was meant to be, or empty."""
    place = error["loc"]
    found = difflib.get_close_matches(str(place[-1]), _known_keys(place[:-1]), 1, 0.5)
    return found[0] if found else ""


def _other_branch(error: Any) -> bool:
    """Whether this tells that a mapping is none of a union's words: it was meant to be the union's model."""
    return error["type"] == "literal_error" and isinstance(error["input"], dict)


def _contradictions(config: Config) -> Iterator[tuple[Place, str]]:
    """What only the whole shows."""
    mounts: dict[str, str] = {}
    for name, policy in config.policies.items():
        if policy.account not in config.accounts:
            hint = _nearest(policy.account, config.accounts)
            yield ("policies", name, "account"), f"there is no account {policy.account!r}{hint}"
        for user in policy.access:
            if user not in config.users:
                yield ("policies", name, "access", user), f"there is no user {user!r}{_nearest(user, config.users)}"
        account = config.accounts.get(policy.account)
        if account is not None and account.tenant == "consumers" and policy.driver == "sharepoint":
            yield ("policies", name, "driver"), "a personal account (tenant: consumers) has no SharePoint"
        if config.server.nextcloud_chunks and policy.mount.split("/")[1].lower() == "remote.php":
            yield ("policies", name, "mount"), "/remote.php is the bridge's own with server.nextcloud_chunks"
        for mount, other in mounts.items():
            mine, theirs = policy.mount.lower() + "/", mount.lower() + "/"
            if mine.startswith(theirs) or theirs.startswith(mine):
                yield ("policies", name, "mount"), f"{policy.mount} and {mount} of {other} overlap"
        mounts[policy.mount] = name
    for name, account in config.accounts.items():
        places: dict[Place, SecretPlace | None] = {("client_secret",): account.client_secret}
        if account.certificate is not None:
            places["certificate", "passphrase"] = account.certificate.passphrase
        for key, place in places.items():
            if told := _missing(place):
                yield ("accounts", name, *key), told
        if told := _untrusting(account.where):
            yield ("accounts", name, "cloud", "ca_file"), told
    if told := _missing(config.state.key):
        yield ("state", "key"), told
    if config.server.status_page and not config.shows_status:
        yield ("server", "status_page"), "nobody may see it: give a user `admin: true`"
    if config.server.tls is not None:
        yield from _unusable(config.server.tls)


def _missing(place: SecretPlace | None) -> str:
    """What is wrong with a secret's place."""
    try:
        if place is not None:
            place.read()
    except ValueError as error:
        return str(error)
    return ""


def _untrusting(cloud: Cloud) -> str:
    """What is wrong with a private cloud's CA file; each library that reads it would say so in its own way."""
    if cloud.ca_file is None:
        return ""
    try:
        ssl.create_default_context(cafile=cloud.ca_file)
    except ssl.SSLError:
        return f"{cloud.ca_file} has no certificate in PEM form"
    except OSError as error:
        return f"{cloud.ca_file} cannot be read: {error.strerror}"
    return ""


def _unusable(tls: Tls) -> Iterator[tuple[Place, str]]:
    """What is wrong with certificate and key."""
    files = {"certificate": tls.certificate, "key": tls.key}
    for key, file in files.items():
        try:
            file.read_bytes()
        except OSError as error:
            yield ("server", "tls", key), f"{file} cannot be read: {error.strerror}"
            return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except ssl.SSLError as error:
        reason = "they do not belong together" if "MISMATCH" in str(error) else "one of them is no PEM file of its kind"
        yield ("server", "tls"), f"{tls.certificate} and {tls.key} cannot be used: {reason}"


def _nearest(word: str, known: typing.Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def _known_keys(place: Sequence[str | int]) -> list[str]:
    """The keys of the model at a place of the file."""
    kind: Any = Config
    for name in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(name))
            kind = _model_in(field.annotation) if field else kind
        elif typing.get_origin(kind) is dict:
            kind = _model_in(typing.get_args(kind)[1])
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    """The part of an annotation that is a model or a dictionary of models."""
    if typing.get_origin(annotation) is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)


def _error(path: Path, root: yaml.Node | None, problems: Sequence[tuple[Place, str]]) -> ConfigError:
    lines = dict.fromkeys(
        f"{path}:{_line(root, place)}: {'.'.join(str(part) for part in _shown(place)) or 'the file'}: {message}"
        for place, message in problems
    )
    return ConfigError("\n".join(lines))


def _shown(place: Place) -> Place:
    # pydantic names the branch of a union, too
    return tuple(
        part
        for part in place
        if not (
            isinstance(part, str) and (part in ("Cloud", "[key]") or part.startswith(("literal[", "lax-or-strict[")))
        )
    )


def _line(node: yaml.Node | None, place: Place) -> int:
    """The line of the deepest node on the way to `place`."""
    line = 1
    for part in _shown(place):
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _refuse_repeated_keys(node: yaml.Node | None, above: tuple[yaml.Node, ...] = ()) -> None:
    """YAML takes the last of two equal keys without a word; a policy would be gone. Nothing may contain itself."""
    if node in above:
        raise _Refused(problem="an alias stands inside what it names", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(problem="a key must be a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise _Refused(problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
            _refuse_repeated_keys(value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(value, (*above, node))


def _resolved(config: Config, folder: Path) -> Config:
    """Relative paths made absolute."""
    state = config.state
    if state.directory is not None:
        state = state.model_copy(update={"directory": folder / state.directory.expanduser()})
    state = state.model_copy(update={"key": _place(state.key, folder)})
    server = config.server
    if server.tls is not None:
        tls = server.tls.model_copy(
            update={"certificate": folder / server.tls.certificate, "key": folder / server.tls.key}
        )
        server = server.model_copy(update={"tls": tls})
    accounts = {name: _account_resolved(account, folder) for name, account in config.accounts.items()}
    return config.model_copy(update={"state": state, "server": server, "accounts": accounts})


def _place(place: SecretPlace | None, folder: Path) -> SecretPlace | None:
    if place is None or place.file is None:
        return place
    return place.model_copy(update={"file": folder / place.file.expanduser()})


def _account_resolved(account: Account, folder: Path) -> Account:
    changes: dict[str, Any] = {"client_secret": _place(account.client_secret, folder)}
    if (certificate := account.certificate) is not None:
        passphrase, file = _place(certificate.passphrase, folder), folder / certificate.file.expanduser()
        changes["certificate"] = certificate.model_copy(update={"file": file, "passphrase": passphrase})
    if account.federated_token_file is not None:
        changes["federated_token_file"] = folder / account.federated_token_file.expanduser()
    cloud = account.cloud
    if isinstance(cloud, Cloud) and cloud.ca_file is not None:
        changes["cloud"] = cloud.model_copy(update={"ca_file": folder / cloud.ca_file.expanduser()})
    return account.model_copy(update=changes)
