"""What each address of the page answers. A GET changes nothing; a POST is checked in one place, before its view."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from davbridge.auth import Passwords, TooManyGuesses
from davbridge.errors import Forbidden
from davbridge.page.findings import Findings, PolicyFinding
from davbridge.page.forms import is_from_here, is_token, token_for
from davbridge.page.refusals import Refusals
from davbridge.page.render import Pages
from davbridge.page.sessions import PageUser, Session, Sessions
from davbridge.page.signins import SignIns
from davbridge.page.transfers import Transfers
from davbridge.page.troubles import Troubles
from davbridge.page.web import PLACE, SESSION, VISITOR, Refused, Request, Response, redirect
from davbridge.tokens import METHODS, SignedInAccount

CALLBACK = "callback"
PASTED = "http://localhost"
"""Where Microsoft sends a browser whose end is pasted: the redirect URI that `davbridge login` needs, too."""
_EVERY = ("5", "15", "60")
_LONGEST_NAME, _LONGEST_PASSWORD = 256, 1024
_OURS = re.compile(r"[A-Za-z0-9_-]{32}")
_STALE = "This form is too old, or was not sent from this page. Go back, load the page again, and repeat it."


@dataclass
class Views:
    """`answer` is the one door."""

    pages: Pages
    sessions: Sessions
    passwords: Passwords
    users: Mapping[str, PageUser]
    refusals: Refusals
    findings: Findings
    sign_ins: SignIns
    transfers: Transfers
    troubles: Troubles
    accounts: Mapping[str, SignedInAccount]

    @property
    def style(self) -> str:
        return self.pages.style

    def answer(self, request: Request) -> Response:
        """Raises: Refused, BridgeError, ConnectionError."""
        if request.method not in ("GET", "HEAD", "POST"):
            response = self.refusal(405, "This is a page for people: it is got, and its forms are posted.")
            response.headers.append(("Allow", "GET, HEAD, POST"))
            return response
        if request.environ["PATH_INFO"] == PLACE[:-1]:
            return redirect("")
        posts = request.method == "POST"
        if posts and not is_from_here(request.environ):
            raise Refused(403, _STALE)
        if request.path == "login":
            return self._log_in(request) if posts else self._login_form(request)
        views: Mapping[str, Callable[[Request, Session], Response]] = (
            {"logout": self._log_out, "sign-in": self._begin, "answer": self._take}
            if posts
            else {"": self._overview, "sign-in": self._sign_in, "progress": self._progress, CALLBACK: self._callback}
        )
        view = views.get(request.path)
        if view is None:
            raise Refused(404, "There is no such page.")
        by_person = request.path != "progress" and "auto" not in request.query
        session = self.sessions.find(request.cookie(SESSION), by_person=by_person)
        if session is None:
            return self._nobody(request)
        request.environ["davbridge.user"] = session.user
        if posts and not is_token(session.secret, request.form.get("token", "")):
            raise Refused(403, _STALE)
        return view(request, session)

    def refusal(self, status: int, message: str) -> Response:
        """A page with a sentence."""
        return Response(status, self.pages.render("message", message=message, user="", token=""))

    # -- signing in to the page ---------------------------------------------------------------------------------

    def _nobody(self, request: Request) -> Response:
        if request.method == "POST":
            raise Refused(403, "Your session has ended. Sign in to this page again, and repeat it.")
        if request.path == "progress":
            return Response(403, self.pages.render("progress", flow=None, account="", ended=True), framed=True)
        if request.path == CALLBACK and "again" not in request.query:
            # what Microsoft's page begins comes without our cookie; what our own page begins comes with it
            again = f"{PLACE}{CALLBACK}?" + urlencode({**request.query, "again": "1"})
            return Response(200, self.pages.render("again", address=again))
        return redirect("login")

    def _login_form(self, request: Request, status: int = 200, message: str = "", name: str = "") -> Response:
        given = request.cookie(VISITOR)
        secret = given if _OURS.fullmatch(given) else secrets.token_urlsafe(24)
        host = (urlsplit(f"//{request.host}").hostname or "") if request.host.isascii() else ""
        is_open = not request.is_secure and host not in ("localhost", "127.0.0.1", "::1")
        body = self.pages.render("login", token=token_for(secret), user="", message=message, name=name, is_open=is_open)
        response = Response(status, body)
        response.set_cookie(request, VISITOR, secret)
        return response

    def _log_in(self, request: Request) -> Response:
        if not is_token(request.cookie(VISITOR), request.form.get("token", "")):
            return self._login_form(request, 403, "That form was too old. Please try once more.")
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        if len(name) > _LONGEST_NAME or len(password) > _LONGEST_PASSWORD:
            raise Refused(413, "That is no name and password.")
        try:
            right = self.passwords.is_right(name, password, request.address)
        except TooManyGuesses:
            self.refusals.tell(name, request.address, "too many wrong passwords")
            response = self.refusal(503, "Too many wrong passwords come from this address. Wait some seconds.")
            response.headers.append(("Retry-After", "5"))
            return response
        if not right:
            self.refusals.tell(name, request.address, "the name or the password is wrong")
            return self._login_form(request, 403, "The name or the password is wrong.", name)
        request.environ["davbridge.user"] = name
        user = self.users.get(name)
        if user is None or not user.admin:
            self.refusals.tell(name, request.address, "the user is no admin")
            told = f"The user {name} may use the drives, but not see this page"
            return self.refusal(403, f"{told}: the configuration says who may, by `admin: true` under users, {name}.")
        self.sessions.end(request.cookie(SESSION))
        response = redirect("")
        response.set_cookie(request, SESSION, self.sessions.begin(name).secret)
        response.set_cookie(request, VISITOR, "")
        return response

    def _log_out(self, request: Request, session: Session) -> Response:
        self.sessions.end(session.secret)
        response = redirect("login")
        response.set_cookie(request, SESSION, "")
        return response

    # -- what there is to see -----------------------------------------------------------------------------------

    def _overview(self, request: Request, session: Session) -> Response:
        accounts, policies = self.findings.look()
        every = request.query.get("every", "")
        body = self._page(
            "overview",
            session,
            accounts=accounts,
            flows={one.name: self.sign_ins.get(one.name) for one in accounts},
            policies=policies,
            transfers=[(one, _policy_of(one.path, policies)) for one in self.transfers.list()],
            troubles=self.troubles.list(),
            every=every if every in _EVERY else "",
            choices=_EVERY,
        )
        response = Response(200, body)
        if every in _EVERY:
            response.headers.append(("Refresh", f"{every}; url={PLACE}?every={every}&auto=1"))
        return response

    # -- signing an account in ----------------------------------------------------------------------------------

    def _sign_in(self, request: Request, session: Session, problem: str = "") -> Response:
        account = self._account(request)
        name = account.settings.name
        flow = self.sign_ins.get(name)
        body = self._page(
            "signin",
            session,
            account=self.findings.account(name),
            method=account.settings.method,
            flow=flow,
            redirect_uri=self._redirect_uri(request),
            pasted=PASTED,
            problem=problem,
        )
        response = Response(400 if problem else 200, body, frames=True)
        if flow is not None and flow.state in ("starting", "checking"):
            response.headers.append(("Refresh", "1"))
        return response

    def _begin(self, request: Request, session: Session) -> Response:
        account = self._account(request)
        uri = ""
        if account.settings.method == "browser":
            uri = PASTED if request.form.get("back") == "paste" else self._redirect_uri(request) or PASTED
        self.sign_ins.begin(account, session.user, uri)
        return _to(account)

    def _progress(self, request: Request, session: Session) -> Response:
        name = self._account(request).settings.name
        flow = self.sign_ins.get(name)
        response = Response(200, self.pages.render("progress", flow=flow, account=name, ended=False), framed=True)
        if flow and flow.is_under_way:
            response.headers.append(("Refresh", "2"))
        return response

    def _take(self, request: Request, session: Session) -> Response:
        account = self._account(request)
        try:
            self.sign_ins.answer(account.settings.name, request.form.get("address", "")[:8192])
        except Forbidden as error:
            return self._sign_in(request, session, f"{error}.")
        return _to(account)

    def _callback(self, request: Request, session: Session) -> Response:
        """Microsoft has sent the browser back. Its word is handed on by a form: a GET changes nothing."""
        name = self.sign_ins.find(request.query.get("state", ""))
        if not name or name not in self.accounts:
            raise Refused(400, "No sign-in waits for this answer: it was taken already, or is over. Begin again.")
        kept = {key: value for key, value in request.query.items() if key not in ("again", "auto")}
        address = f"{self._redirect_uri(request)}?{urlencode(kept)}"
        return Response(200, self._page("callback", session, account=name, address=address))

    def _account(self, request: Request) -> SignedInAccount:
        account = self.accounts.get(request.query.get("account", ""))
        if account is None:
            raise Refused(404, "There is no such account.")
        if not METHODS[account.settings.method].needs_person and request.method == "POST":
            raise Refused(409, "This account signs in by itself: nobody can do it for it.")
        return account

    def _redirect_uri(self, request: Request) -> str:
        """Where Microsoft may send a browser back to us; empty where it never would: it wants https, or localhost."""
        base = request.base
        host = urlsplit(base).hostname
        usable = base.startswith("https://") or host in ("localhost", "127.0.0.1")
        return f"{base}{PLACE}{CALLBACK}" if usable else ""

    def _page(self, template: str, session: Session, **values: Any) -> str:
        return self.pages.render(template, user=session.user, token=token_for(session.secret), **values)


def _to(account: SignedInAccount) -> Response:
    return redirect(f"sign-in?account={quote(account.settings.name, safe='')}")


def _policy_of(path: str, policies: Sequence[PolicyFinding]) -> str:
    """The policy below whose mount a path lies, compared as URLs' mounts are: without regard to case."""
    lowered = path.lower().lstrip("/") + "/"
    return next((one.name for one in policies if lowered.startswith(one.policy.mount.lower().strip("/") + "/")), "")
