"""The status page, as middleware in front of all that DAV clients ask: what lies below `/.davbridge/` is its own.

It has its own way to sign in: a form and a cookie, not the browser's password box, so that no other site can act with a
password that a browser remembers, and so that a person can leave. A view changes nothing; what changes something is a
POST with the session's token, from our own form.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

from davbridge import caller
from davbridge.auth import Passwords
from davbridge.clock import Clock
from davbridge.errors import BridgeError
from davbridge.page.beat import Beat
from davbridge.page.file import mend, open_file
from davbridge.page.findings import Findings, PagePolicy
from davbridge.page.refusals import Refusals
from davbridge.page.render import Pages
from davbridge.page.sessions import PageUser, Sessions
from davbridge.page.signins import SignIns
from davbridge.page.transfers import Transfers
from davbridge.page.troubles import Troubles
from davbridge.page.views import Views
from davbridge.page.web import PLACE, Application, Refused, Request
from davbridge.store.database import Damaged, Database
from davbridge.tokens import SignedInAccount
from davbridge.waiting import about_to_wait

log = logging.getLogger(__name__)
_UNTOUCHED = frozenset({"PROPFIND", "OPTIONS", "HEAD"})
"""What is asked most, and fails with nothing that another request would not show."""
_MESSAGE = re.compile(r"<b:message>(.*?)</b:message>", re.DOTALL)


class StatusPage:
    """Middleware. Requests below `PLACE` are answered here, all others by `application`."""

    def __init__(
        self,
        application: Application,
        database: Database,
        folder: Path,
        views: Views,
        transfers: Transfers,
        troubles: Troubles,
        public_url: str,
    ) -> None:
        self._application = application
        self._database = database
        self._folder = folder
        self._views = views
        self._transfers = transfers
        self._troubles = troubles
        self._public_url = public_url

    @classmethod
    def open(
        cls,
        application: Application,
        folder: Path,
        clock: Clock,
        *,
        passwords: Passwords,
        users: Mapping[str, PageUser],
        accounts: Mapping[str, SignedInAccount],
        policies: Mapping[str, PagePolicy],
        public_url: str = "",
    ) -> StatusPage:
        """The page of a bridge whose state is in `folder`.

        Raises:
            ConfigError: the file in it cannot be used.
        """
        database = open_file(folder)
        beat = Beat(database.close)
        troubles = Troubles(database, clock, beat)
        troubles.listen(logging.getLogger("davbridge"))
        findings = Findings(database, clock, accounts, policies)
        transfers = Transfers(database, clock, beat)
        views = Views(
            Pages(clock),
            Sessions(database, users, clock),
            passwords,
            users,
            Refusals(users, clock),
            findings,
            SignIns(database, clock, beat, findings.forget),
            transfers,
            troubles,
            accounts,
        )
        database.close()  # this thread's connection: it may never ask again
        return cls(application, database, folder, views, transfers, troubles, public_url)

    def close(self) -> None:
        """Note no more of what is logged."""
        self._troubles.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path.startswith(PLACE) or path == PLACE[:-1]:
            caller.serve("", method)
            return self._own(environ, start_response)
        if method in _UNTOUCHED:
            return self._application(environ, start_response)
        return self._watched(environ, start_response, method)

    def _watched(self, environ: dict[str, Any], start_response: Any, method: str) -> Iterable[bytes]:
        """Follow large bodies, and note what could not be done."""
        status, headers = "", []

        def remember(line: str, given: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status, headers
            status, headers = line, given
            return start_response(line, given, exc_info)

        if method == "PUT":
            with self._transfers.upload(environ):
                body = self._application(environ, remember)
        else:
            body = self._application(environ, remember)
        if status >= "5":
            self._troubles.note(_failure(method, status, body), serious=not status.startswith("503"))
        elif method == "GET" and status.startswith("2"):
            return self._transfers.download(environ, headers, body)  # type: ignore[no-any-return] # a body in a body
        return body

    def _own(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        about_to_wait()  # for files, templates, and sometimes for Microsoft
        request = Request(environ, self._public_url)
        try:
            if self._database.is_elsewhere():
                mend(self._database, self._folder)
            response = self._views.answer(request)
        except Refused as refused:
            response = self._views.refusal(refused.status, str(refused))
        except ConnectionError:
            raise  # the client is gone
        except Damaged as error:
            log.warning("the status page's file is made anew: %s", error)
            mend(self._database, self._folder)
            response = self._views.refusal(503, "The page's own file was damaged, and is a new one now. Try again.")
        except BridgeError as error:
            log.warning("the status page cannot be shown: %s", error)
            response = self._views.refusal(503, f"The page cannot be shown just now: {error}.")
        except Exception:
            log.exception("the status page cannot be shown")
            response = self._views.refusal(500, "An error of the bridge itself; its log has it.")
        return response.send(self._views.style, start_response)


def _failure(method: str, status: str, body: Iterable[bytes]) -> str:
    """What a client was told, in the words of `dav.failure`: the same as in the log, where that has it, too."""
    text = b"".join(body).decode("utf-8", "replace") if isinstance(body, list | tuple) else ""
    found = _MESSAGE.search(text)
    return unescape(found[1]) if found else f"{method} was answered with {status}"
