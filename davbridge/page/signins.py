"""Signing an account in again from the page: the flow runs in one worker's thread, and any worker shows how it stands.

A row for each account is what they share. Who comes while a flow is under way joins it. No token is ever in the row;
the address at which a browser came back is, until the thread takes it, and it is worth nothing without what that
thread alone knows (PKCE).
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from davbridge.clock import Clock
from davbridge.errors import BridgeError, Forbidden
from davbridge.page.beat import STALE_SECONDS, Beat
from davbridge.store.database import Database
from davbridge.tokens import DeviceCode, SignedInAccount, sign_in

State = Literal["starting", "waiting", "checking", "done", "failed", "expired", "interrupted"]
UNDER_WAY = ("starting", "waiting", "checking")
_BROWSER_SECONDS, _LOOK_SECONDS = 600.0, 0.5
_SHOWN_SECONDS = 3600.0
"""How long the end of a flow is of interest."""
_SELECT = """SELECT id, state, by, began, beat, redirect_uri, link, code, ends, message FROM sign_ins
WHERE account = ?"""
_SELECT_WAITING = """SELECT account, id, state, by, began, beat, redirect_uri, link, code, ends, message FROM sign_ins
WHERE state = 'waiting'"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flow:
    """A sign-in of an account. `link` is Microsoft's page; `code` what to type there, for device codes; times POSIX.

    `message` says why it failed, or who has signed in.
    """

    id: str
    state: State
    by: str
    began: float
    beat: float
    redirect_uri: str
    link: str
    code: str
    ends: float
    message: str

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def oauth_state(self) -> str:
        """The `state` with which a browser must come back; empty for device codes."""
        return parse_qs(urlsplit(self.link).query).get("state", [""])[0]


class SignIns:
    """Of this process, and a look at those of all. `done(account)` is called after each that went well."""

    def __init__(self, database: Database, clock: Clock, beat: Beat, done: Callable[[str], None]) -> None:
        self._database = database
        self._clock = clock
        self._beat = beat
        self._done = done
        self._mine: dict[str, str] = {}
        self._lock = threading.Lock()
        beat.add([self.tick])

    def begin(self, account: SignedInAccount, by: str, redirect_uri: str) -> None:
        """Begin a sign-in, or join the one under way. One that sends the browser elsewhere takes its place."""
        name, now = account.settings.name, self._now()
        flow_id = secrets.token_hex(8)
        with self._database.transaction() as transaction:
            rows = transaction.execute(_SELECT, (name,)).fetchall()
            if rows and self._read(Flow(*rows[0])).is_under_way and rows[0]["redirect_uri"] == redirect_uri:
                return
            transaction.execute(
                "INSERT OR REPLACE INTO sign_ins (account, id, state, by, began, beat, redirect_uri) "
                "VALUES (?, ?, 'starting', ?, ?, ?, ?)",
                (name, flow_id, by, now, now, redirect_uri),
            )
        with self._lock:
            self._mine[flow_id] = name
        self._beat.wake()
        threading.Thread(
            target=self._run, args=(account, flow_id, redirect_uri), name=f"sign-in {name}", daemon=True
        ).start()

    def get(self, account: str) -> Flow | None:
        """The flow under way, or the last one's end."""
        rows = self._database.read(_SELECT, (account,))
        flow = self._read(Flow(*rows[0])) if rows else None
        return flow if flow and (flow.is_under_way or self._now() - flow.beat < _SHOWN_SECONDS) else None

    def _read(self, flow: Flow) -> Flow:
        """As it is: nobody works on it any more when its process has not told for a while."""
        if not flow.is_under_way or self._now() - flow.beat < STALE_SECONDS:
            return flow
        return replace(flow, state="interrupted", message="the bridge was stopped meanwhile")

    def find(self, state: str) -> str:
        """The account whose flow waits for a browser with this `state`; empty when there is none."""
        for row in self._database.read(_SELECT_WAITING):
            flow = self._read(Flow(*row[1:]))
            right = flow.oauth_state
            if flow.is_under_way and right and hmac.compare_digest(right.encode(), state.encode("utf-8", "replace")):
                return str(row["account"])
        return ""

    def answer(self, account: str, address: str) -> None:
        """Hand the address at which the browser came back to the flow's thread.

        Raises:
            Forbidden: no flow waits, or the address is not the end of this one; the flow waits on.
        """
        flow = self.get(account)
        if flow is None or flow.state != "waiting" or not flow.oauth_state:
            raise Forbidden("no sign-in waits for this: begin again")
        parts = urlsplit(address.strip().strip("'\"<>"))
        given = parse_qs(parts.query or parts.fragment, max_num_fields=50)
        if "code" not in given and "error" not in given:
            raise Forbidden("that is not the address at which the sign-in ended: it has `code=` in it")
        if not hmac.compare_digest(given.get("state", [""])[0].encode("utf-8", "replace"), flow.oauth_state.encode()):
            raise Forbidden("that address is the end of another sign-in: use the link on this page, and take its end")
        self._change(flow.id, state="checking", answer=address)

    def tick(self) -> bool:
        """Say that ours are alive. Raises what `Database` raises."""
        with self._lock:
            mine = list(self._mine)
        if mine:
            with self._database.transaction() as transaction:
                rows = [(self._now(), flow_id) for flow_id in mine]
                transaction.executemany("UPDATE sign_ins SET beat = ? WHERE id = ?", rows)
        return bool(mine)

    def _run(self, account: SignedInAccount, flow_id: str, redirect_uri: str) -> None:
        visitor = _Visitor(self, flow_id, redirect_uri)
        name = account.settings.name
        try:
            try:
                who = sign_in(account.settings, account.store, self._clock, visitor)
                with contextlib.suppress(BridgeError):  # what is remembered of it is forgotten within a minute anyway
                    self._done(name)
                self._change(flow_id, state="done", message=who, answer="")
                log.info("account %r: signed in as %s, from the status page", name, who)
            except BridgeError as error:
                late = 0 < visitor.ends <= self._clock.now().timestamp()
                told = str(error).removeprefix(f"account {name!r}: ")
                self._change(flow_id, state="expired" if late else "failed", message=told, answer="")
            except Exception:
                log.exception("a sign-in from the status page failed")
                self._change(flow_id, state="failed", message="an error of the bridge itself; see its log", answer="")
        except BridgeError as error:
            log.warning("the end of a sign-in could not be told: %s", error)
        finally:
            with self._lock:
                self._mine.pop(flow_id, None)
            self._database.close()

    def _change(self, flow_id: str, **values: str | float) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with self._database.transaction() as transaction:
            transaction.execute(
                f"UPDATE sign_ins SET {names}, beat = ? WHERE id = ?",  # noqa: S608 - our own words
                (*values.values(), self._now(), flow_id),
            )

    def _wait(self, flow_id: str) -> str:
        """The address that somebody hands in. Raises: Forbidden."""
        end = self._clock.monotonic() + _BROWSER_SECONDS
        while self._clock.monotonic() < end:
            rows = self._database.read("SELECT answer FROM sign_ins WHERE id = ?", (flow_id,))
            if not rows:
                raise Forbidden("another sign-in has taken the place of this one")
            if rows[0]["answer"]:
                self._change(flow_id, answer="")
                return str(rows[0]["answer"])
            self._clock.sleep(_LOOK_SECONDS)
        raise Forbidden("nobody has come back from Microsoft within ten minutes")

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _Visitor:
    """`tokens.WebPage`: shows on the page, by the flow's row."""

    def __init__(self, sign_ins: SignIns, flow_id: str, redirect_uri: str) -> None:
        self._sign_ins = sign_ins
        self._flow_id = flow_id
        self.redirect_uri = redirect_uri
        self.ends = 0.0

    def show_code(self, code: DeviceCode) -> None:
        self.ends = code.ends
        self._sign_ins._change(self._flow_id, state="waiting", code=code.code, link=code.page, ends=code.ends)

    def bring(self, address: str) -> str:
        self.ends = self._sign_ins._now() + _BROWSER_SECONDS
        self._sign_ins._change(self._flow_id, state="waiting", link=address, ends=self.ends)
        return self._sign_ins._wait(self._flow_id)

    def show(self, text: str) -> None:
        """The page has its own words."""

    def ask(self, question: str) -> str:
        raise Forbidden("the status page cannot ask")

    def browse(self, address: str) -> bool:
        return False
