"""The questions about the user of the bridge, and about the address to listen on."""

from __future__ import annotations

import getpass
from contextlib import suppress

from davbridge.auth import make_password
from davbridge.cli.init.asking import ask
from davbridge.cli.telling import tell
from davbridge.edge import parse_listen, reserve
from davbridge.edge.addresses import check_free, refused
from davbridge.errors import ConfigError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ask_user() -> tuple[str, str, bool]:
    """A name, a password, and whether the password was made here: then it has to be shown once."""
    tell("\nPrograms that mount the bridge send a user name and a password of its own, not Microsoft's.")
    name = ask("User name", _name, default=_login_name())
    while True:
        first = ask("Password (not shown; nothing: one is made for you)", _password, default="", hidden=True)
        if not first:
            return name, make_password(), True
        if ask("The same again", str, hidden=True) == first:
            return name, first, False
        tell("  it is another one than before: type both again")  # the slip may have been in the first


def _login_name() -> str | None:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return None


def _name(given: str) -> str:
    if not given or ":" in given or not given.isprintable():
        raise ValueError("a user name has printable characters and no colon in it")
    return given


def _password(given: str) -> str:
    if given and len(given) < 8:
        raise ValueError("it is shorter than 8 characters")
    return given


def ask_listen() -> str:
    """An address that can be listened on now."""
    tell("\nThe bridge listens on an address of this machine; 127.0.0.1 is for programs on this machine only.")
    listen = ask("Address and port", _free, default="127.0.0.1:8080")
    where = parse_listen(listen)
    if not isinstance(where, str) and where[0] not in _LOOPBACK:
        tell("  Without TLS passwords can be read on the way: see `tls` and `behind_proxy` in docs/configuration.md.")
    return listen


def _free(given: str) -> str:
    """Raises: ConfigError."""
    where = parse_listen(given)
    try:
        if isinstance(where, str):
            check_free(where)
        else:
            reserve([given]).close()
    except (OSError, ConfigError) as error:
        raise ConfigError(str(refused(where, error)).replace("change server.listen", "choose another one")) from None
    return given
