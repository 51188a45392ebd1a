"""`davbridge init`: a guided start, from no file at all to one that works.

Everything is tried in a private folder first: the sign-in, the choice among real drives, and the check of the finished
file. Only what has passed is put into its place, in one go; Ctrl-C before that leaves nothing behind.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from davbridge.accounts import scopes
from davbridge.auth import hash_password
from davbridge.cli.check import look_over
from davbridge.cli.init.account import AccountAnswers, ask_account, read_cloud_file
from davbridge.cli.init.asking import choose, confirm
from davbridge.cli.init.draft import NAME, Draft, check_place, keep, provisional
from davbridge.cli.init.farewell import farewell
from davbridge.cli.init.people import ask_listen, ask_user
from davbridge.cli.init.places import Choosing
from davbridge.cli.session import graph_of, sign_in_to
from davbridge.cli.telling import tell
from davbridge.cli.visitor import TerminalVisitor
from davbridge.clock import Clock, SystemClock
from davbridge.config import Config, load
from davbridge.errors import BridgeError, ConfigError


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where config.yaml is to be; made when missing. Default: the current folder.",
)
@click.option(
    "--cloud-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A private cloud: YAML with graph, login and ca_file, as under `cloud` in the configuration.",
)
@click.option("--paste", is_flag=True, help="With a browser sign-in: open none here; paste the address it ends at.")
def init(directory: Path, cloud_file: Path | None, paste: bool) -> None:
    """Ask what is needed, sign in, let drives and libraries be chosen, and write a config.yaml that works."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    cloud = read_cloud_file(cloud_file) if cloud_file else None
    target = directory / NAME
    check_place(directory)
    tell(f"A few questions, then {target} is written. Ctrl-C at any time leaves nothing behind.")
    try:
        there = target.exists()
        if there and not confirm(f"\n{target} is there already. Replace it?", default=False):
            raise click.Abort
        with tempfile.TemporaryDirectory(prefix="davbridge-init-") as name:
            guide = Guide(Path(name), directory, SystemClock(), cloud, TerminalVisitor(paste=paste))
            told = guide.run(replace=there)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nNothing was written.", err=True)
        raise click.Abort from None
    tell(f"\n{told}")


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """As Ctrl-C: what has been made so far is removed on the way out."""
    raise KeyboardInterrupt


class Guide:
    """One run. `folder` is private and goes away; `directory` is where the result belongs."""

    def __init__(
        self,
        folder: Path,
        directory: Path,
        clock: Clock,
        cloud: dict[str, Any] | None,
        visitor: TerminalVisitor,
    ) -> None:
        self._folder = folder
        self._directory = directory
        self._clock = clock
        self._cloud = cloud
        self._visitor = visitor

    def run(self, *, replace: bool) -> str:
        """All of it, in the order in which a person can answer; returns what to type next.

        Raises:
            click.Abort: Ctrl-C. BridgeError: it cannot be written, or Microsoft fails in between. Nothing is left.
        """
        draft = Draft(self._account())
        config, wanted, right = self._signed_in(draft)
        with graph_of(config, draft.account.name, self._clock) as graph:
            Choosing(graph, draft.account, policies=draft.policies, **wanted).run()
        user, password, made = ask_user()
        draft.users[user] = {"password": hash_password(password), "admin": True}
        for policy in draft.policies.values():
            policy["access"] = {user: right}
        draft.listen = ask_listen()
        staged = self._checked(draft, config)
        path = keep(draft, staged, self._directory, self._clock, replace=replace)
        return farewell(path, draft.listen, draft.policies, user, password if made else "")

    def _account(self, before: dict[str, Any] | None = None) -> AccountAnswers:
        with suppress(OSError):
            return ask_account(self._cloud, before or {}, {one.name for one in self._directory.iterdir()})
        return ask_account(self._cloud, before or {}, set())

    def _wanted(self, account: AccountAnswers) -> dict[str, bool]:
        if account.is_personal:
            return {"onedrive": True, "sharepoint": False}
        options = [("onedrive", "OneDrive"), ("sharepoint", "SharePoint libraries"), ("both", "both")]
        word = choose("What is to be mounted? The sign-in asks for no more than that.", options, "both")
        return {"onedrive": word != "sharepoint", "sharepoint": word != "onedrive"}

    def _signed_in(self, draft: Draft) -> tuple[Config, dict[str, bool], str]:
        """Sign in for what is wanted; when that fails the reason is shown, and the answers can be changed.

        Returns the configuration that was signed in with, what is wanted, and the right to be given.
        """
        wanted, right = self._wanted(draft.account), self._right()
        while True:
            try:
                config = provisional(draft.account, self._folder, right, **wanted)
                self._sign_in(config, draft.account.name)
                return config, wanted, right
            except BridgeError as error:
                tell(f"\n  {error}")
                options = [("again", "sign in again"), ("change", "change the answers so far")]
                if choose("What now?", options, "change" if isinstance(error, ConfigError) else "again") == "change":
                    draft.account = self._account(draft.account.data)
                    wanted, right = self._wanted(draft.account), self._right()

    @staticmethod
    def _right() -> str:
        return "write" if confirm("May files be changed through the mounts?", default=True) else "read"

    def _sign_in(self, config: Config, name: str) -> None:
        tell("\nThe sign-in asks Microsoft for:")
        who = sign_in_to(config, name, self._clock, self._visitor, replace_account=True)
        tell(f"Signed in as {who}.")

    def _once_more(self, config: Config, name: str) -> None:
        while True:
            try:
                return self._sign_in(config, name)
            except BridgeError as error:
                tell(f"\n  {error}")
                if not confirm("Try again?", default=True):
                    raise click.Abort from None

    def _checked(self, draft: Draft, signed: Config) -> Path:
        """Write the file here, and look at it as `davbridge check` does; returns it.

        Raises:
            click.Abort: it does not work, and the person does not want it so.
        """
        name, asked = draft.account.name, scopes(signed, draft.account.name)
        path = draft.write_to(self._folder)
        needed = scopes(load(path), name)
        if draft.account.is_person and not set(needed) <= set(asked):
            if all({one, f"{one}.All"} & set(asked) for one in needed):
                # agreed to under a wider name: another one would have to be agreed to again
                draft.account.data["scopes"] = list(asked)
                path = draft.write_to(self._folder)
            else:
                tell("\nWhat was chosen needs more than the sign-in has asked for; once more, please.")
                self._once_more(load(path), name)
        tell("\nChecking ...")
        failed = look_over(path, shown_as=self._directory / NAME)
        if failed and not confirm("This does not work yet. Write the file all the same?", default=False):
            raise click.Abort
        sys.stdout.flush()
        return path
