"""Files with secrets that everybody on the machine can read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from davbridge.config.model import Config


def exposed(config: Config) -> list[str]:
    """A sentence for each such file. A group may have been given one on purpose; a missing one is told elsewhere."""
    return [
        f"{file} holds {what}, and everybody on this machine can read it: `chmod o= {file}`"
        for file, what in dict.fromkeys(_files(config))
        if _open_to_all(file)
    ]


def _files(config: Config) -> Iterator[tuple[Path, str]]:
    if config.server.tls is not None:
        yield config.server.tls.key, "the TLS key"
    if config.state.key is not None and config.state.key.file is not None:
        yield config.state.key.file, "the key of the sign-ins"
    for name, account in config.accounts.items():
        if account.client_secret is not None and account.client_secret.file is not None:
            yield account.client_secret.file, f"the client secret of account {name}"
        if account.certificate is not None:
            yield account.certificate.file, f"the private key of account {name}"
            passphrase = account.certificate.passphrase
            if passphrase is not None and passphrase.file is not None:
                yield passphrase.file, f"the passphrase of account {name}"


def _open_to_all(file: Path) -> bool:
    """A folder that is closed to others closes what is in it."""
    try:
        return bool(file.stat().st_mode & stat.S_IROTH and file.parent.stat().st_mode & stat.S_IXOTH)
    except OSError:
        return False
