"""The questions about what is to be mounted: drives, sites and libraries to choose from, or an address."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from davbridge import deadline
from davbridge.cli.init.account import AccountAnswers
from davbridge.cli.init.asking import ask, ask_or_none, choose, choose_several
from davbridge.cli.proposal import Folder, find_folder, name_for, policy_for, unfit
from davbridge.cli.session import SECONDS
from davbridge.cli.telling import tell
from davbridge.config import Account, Policy
from davbridge.drivers.locating import Located, NoPermission, locate
from davbridge.drivers.onedrive import find_drive
from davbridge.drivers.roots import folder_path
from davbridge.errors import BridgeError, ConfigError, Forbidden, NotFound
from davbridge.graph import Drive, Graph, ItemRef, Site
from davbridge.graph.drives import list_site_drives
from davbridge.graph.items import get_folder
from davbridge.graph.pasted import Pasted, read_pasted
from davbridge.graph.sites import search_sites

_SHOWN = 30


@dataclass
class Choosing:
    """What has been chosen so far: `policies` as they will stand in the YAML, but for who may use them."""

    graph: Graph
    account: AccountAnswers
    onedrive: bool
    sharepoint: bool
    policies: dict[str, dict[str, Any]]

    def run(self) -> None:
        """Ask until something was chosen, and the person says that it is all."""
        acts: dict[str, Callable[[], None]] = {
            "onedrive": self._own,
            "person": self._of_person,
            "search": self._search,
            "paste": self._paste,
        }
        options = self._options()
        while True:
            ready = [("done", "that is all")] if self.policies else []
            again = "What else shall be mounted?" if self.policies else "What shall be mounted?"
            word = choose(again, [*options, *ready], "done" if self.policies else options[0][0])
            if word == "done":
                return
            try:
                acts[word]()
            except BridgeError as error:
                tell(f"  {error}")

    def _options(self) -> list[tuple[str, str]]:
        options = []
        if self.onedrive and self.account.is_person:
            try:
                with self._question():
                    drive = find_drive(self.graph, None)
                options.append(("onedrive", f"your OneDrive{f' ({drive.owner})' if drive.owner else ''}"))
            except BridgeError as error:
                tell(f"  {error}")
        elif self.onedrive:
            options.append(("person", "the OneDrive of a person"))
        if self.sharepoint:
            options.append(("search", "a SharePoint library: look for its site"))
        return [*options, ("paste", "paste an address, as the browser shows it, or a sharing link")]

    def _question(self) -> deadline.within:
        return deadline.within(self.graph.clock, SECONDS)

    def _own(self) -> None:
        with self._question():
            drive = find_drive(self.graph, None)
        self._add_folder(drive, None)

    def _of_person(self) -> None:
        def check(given: str) -> Drive:
            with self._question():
                return find_drive(self.graph, given)

        if drive := ask_or_none("Whose, such as alice@contoso.com", check):
            self._add_folder(drive, None)

    def _search(self) -> None:
        words = ask_or_none("Words of the site's name, * for all", str)
        if words is None:
            return
        try:
            with self._question():
                sites = search_sites(self.graph, words)
        except (Forbidden, NotFound):
            raise ConfigError(
                "the account may not look for sites (with Sites.Selected nobody may): paste the site's address instead"
            ) from None
        if not sites:
            tell("  No site was found: try another word, or paste its address.")
            return
        if len(sites) > _SHOWN:
            tell(f"  There are more; these are the first {_SHOWN}. More words find fewer.")
        sites = sites[:_SHOWN]
        options = [(str(number), f"{site.name}  {site.web_url}") for number, site in enumerate(sites, 1)]
        word = choose("Which site?", [*options, ("none", "none of them")])
        if word != "none":
            self._libraries(sites[int(word) - 1])

    def _libraries(self, site: Site) -> None:
        with self._question():
            drives = list_site_drives(self.graph, site.id)
        if not drives:
            tell(f"  {site.name} has no library that the account can see.")
            return
        taken = [0] if len(drives) == 1 else choose_several("Which libraries?", [drive.name for drive in drives])
        for index in taken:
            self._add_folder(drives[index], site)

    def _paste(self) -> None:
        def check(given: str) -> tuple[Folder, Pasted]:
            pasted = read_pasted(given)
            if told := unfit(Account.model_validate(self.account.data), pasted):
                raise ConfigError(told)
            try:
                with self._question():
                    return find_folder(self.graph, locate(self.graph, pasted)), pasted
            except NoPermission as error:
                if self.sharepoint:
                    raise
                raise ConfigError(f"{error}. The sign-in was for OneDrive only, too: begin again for both") from None

        if found := ask_or_none("Address", check):
            self._add(*found)

    def _add_folder(self, drive: Drive, site: Site | None) -> None:
        tell(f"\n{drive.name}" + (f" of {site.name}" if site else ""))
        if names := self._folders(drive):
            tell(f"  Folders there: {', '.join(names)}")

        def check(given: str) -> Folder:
            path = folder_path(given)
            with self._question():
                folder = find_folder(self.graph, Located(drive, path, site=site, whole=path))
            if folder.file:
                raise ConfigError(f"{given} is a file: name a folder")
            return folder

        self._add(ask("Root folder: what the mount shows, / for everything", check, default="/"), None)

    def _folders(self, drive: Drive) -> list[str]:
        """Some of the folders in the drive's root, to give an idea; none when they cannot be listed."""
        with self._question(), suppress(BridgeError):
            _, children = get_folder(self.graph, ItemRef(drive.id, "root"))
            return [child.name for child in islice((one for one in children if one.kind == "folder"), 12)]
        return []

    def _add(self, folder: Folder, pasted: Pasted | None) -> None:
        with self._question():
            keys = policy_for(self.graph, folder, self.account.name, pasted)
        mount = ask("Mount path", self._free_mount, default=f"/{name_for(folder, self.policies)}")
        name = mount.strip("/").replace("/", "-")
        self.policies[name] = {"mount": mount, **keys}
        where = f"{folder.drive.name} of {folder.site.name}" if folder.site else folder.drive.name
        tell(f"  {mount} will show {where}{f', {folder.path}' if folder.path and folder.path.names else ''}.")

    def _free_mount(self, given: str) -> str:
        mount = given if given.startswith("/") else f"/{given}"
        Policy(mount=mount, account=self.account.name, driver="onedrive")
        for other in self.policies.values():
            mine, theirs = mount.lower() + "/", other["mount"].lower() + "/"
            if mine.startswith(theirs) or theirs.startswith(mine):
                raise ValueError(f"{mount} and {other['mount']} overlap: choose another one")
        if mount.strip("/").replace("/", "-") in self.policies:
            raise ValueError(f"{mount} is too much like another one")
        return mount
