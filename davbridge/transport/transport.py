"""Send one request, patiently but not for ever.

It waits for its turn and at the host's gate, sends, and lets the retry policy decide; it never waits longer than the
deadline in force allows, and says `Busy` with the server's own delay instead. It must never follow a redirect, send a
token to a host other than Graph's, or put a URL's query into a message.
"""

from __future__ import annotations

import base64
import logging
import uuid
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from davbridge import __version__, deadline
from davbridge.clock import Clock
from davbridge.errors import BadUpstream, Busy, UnknownOutcome
from davbridge.redact import Secret, origin
from davbridge.transport.fairqueue import FairQueue
from davbridge.transport.gate import Gates, MemoryGates
from davbridge.transport.hosts import HostRules, host_key
from davbridge.transport.message import Outgoing, Reply
from davbridge.transport.pace import Budget
from davbridge.transport.retry import THROTTLED, UNAVAILABLE, Again, RetryPolicy, retry_after
from davbridge.transport.wire import Broken, Wire
from davbridge.waiting import about_to_wait, waited

log = logging.getLogger(__name__)

# Microsoft gives unnamed traffic a lower priority (facts: Graph §8.4)
USER_AGENT = f"NONISV|davbridge|davbridge/{__version__}"
_TRY_SECONDS = 60.0
_HOLD_SECONDS = 5.0
_THROTTLED = "Microsoft throttles us"


class Transport:
    """Sends requests for all threads. `verify` as in `wire.Wire`; `gates` default to those of this process alone."""

    def __init__(
        self,
        clock: Clock,
        *,
        hosts: HostRules,
        verify: str | bool = True,
        max_connections: int = 128,
        gates: Gates | None = None,
        policy: RetryPolicy | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._clock = clock
        self._hosts = hosts
        self._policy = policy or RetryPolicy()
        self._gates = gates or MemoryGates(clock)
        self._wire = wire or Wire(verify, max_connections)
        self._queue = FairQueue(clock)

    def close(self) -> None:
        self._wire.close()

    def reset_gates(self) -> None:
        """Forget all pauses."""
        self._gates.open_all()

    @property
    def pause(self) -> float:
        """Seconds until the next call of Graph may leave."""
        return self._gates.remaining(host_key(self._hosts.graph))

    def heed(self, address: str, reply: Reply) -> None:
        """What an answer inside another one (a batch) says of throttling holds for the host of `address`."""
        host = host_key(address)
        self._heed_budget(host, reply)
        if reply.status in THROTTLED:
            pause = retry_after(reply.headers, self._clock.now())
            self._gates.close_for(host, _HOLD_SECONDS if pause is None else pause)

    def send(self, request: Outgoing) -> Reply:
        """Send `request` and return the answer, whatever its status, once no retry makes sense.

        A 503 to one that `commits` is returned at once; the gate is closed for as long as it says.

        Raises:
            Busy: throttled, or failing, for longer than the deadline allows.
            BadUpstream: no connection, a certificate that is not trusted, an address that is not followed.
            UnknownOutcome: a write that is not `safe` was sent and its answer lost, or was a 5xx.
            NeedsSignIn, ConfigError: from the token source.
        """
        self._hosts.check(request.address)
        if request.auth is not None and not self._hosts.may_send_token(request.address):
            raise BadUpstream("a token would have gone to a host that is not Graph's")
        about_to_wait()
        try:
            return self._send(request, host_key(request.address))
        finally:
            waited()

    def _send(self, request: Outgoing, host: str) -> Reply:
        number = 1
        refused: Secret | None = None
        claims: str | None = None
        challenges: list[str | None] = []
        while True:
            if request.auth is not None:
                self._check(host)  # before a token is asked for, and a place
            try:
                token = request.auth.token(refused=refused, claims=claims) if request.auth is not None else None
                refused, claims = None, None
                with self._place(request, host):
                    reply = self._try(request, token)
            except Broken as broken:
                again = None if request.once else self._policy.after_break(number, safe=request.safe, sent=broken.sent)
                if again is None:
                    raise self._lost(request, broken) from broken
                self._note(request, str(broken), again)
                self._pause(again.pause, "Microsoft cannot be reached")
                number += 1
                continue
            self._heed_budget(host, reply)
            if token is not None and _wants_another(reply, challenges):
                # once; and once more for claims of which the first 401 did not tell
                refused, claims = token, _claims(reply)
                challenges.append(claims)
                continue
            decision = self._policy.after_status(
                number, reply.status, reply.headers, safe=request.safe, now=self._clock.now()
            )
            if decision is not None and decision.shared:
                self._gates.close_for(host, decision.pause)
            if request.commits and reply.status == UNAVAILABLE:
                return reply
            if decision is None or request.once:
                return self._checked(request, reply)
            self._note(request, str(reply.status), decision)
            self._pause(decision.pause, _THROTTLED if decision.shared else "Microsoft is in trouble")
            number += 1

    def _place(self, request: Outgoing, host: str) -> AbstractContextManager[None]:
        """A place among Graph's calls, behind the gate. Contents on other hosts pass the gate of their own only."""
        if request.auth is not None:
            return self._queue.place(partial(self._check, host), partial(self._pass, host))
        self._pass(host)
        return nullcontext()

    def _check(self, host: str) -> None:
        """Raises: Busy: the gate opens too late for us."""
        self._allow(self._gates.remaining(host), _THROTTLED)

    def _pass(self, host: str) -> None:
        while (seconds := self._gates.enter(host)) > 0:
            self._pause(seconds, _THROTTLED)

    def _heed_budget(self, host: str, reply: Reply) -> None:
        budget = Budget.told(reply.headers)
        if budget is not None:
            self._gates.slow_down(host, budget)
        elif reply.status < 400:
            self._gates.speed_up(host)

    def _try(self, request: Outgoing, token: Secret | None) -> Reply:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity" if request.stream else "gzip"}
        headers |= {"Connection": "keep-alive", **request.headers}
        if token is not None:
            headers["client-request-id"] = str(uuid.uuid4())
            headers["Authorization"] = f"Bearer {token.reveal()}"
        left = deadline.current(self._clock).remaining()
        if left <= 0:
            raise Busy("the request took too long", 5.0)
        return self._wire.send(request, headers, min(left, _TRY_SECONDS))

    def _pause(self, seconds: float, why: str) -> None:
        if seconds > 0:
            self._allow(seconds, why)
            self._clock.sleep(seconds)

    def _allow(self, seconds: float, why: str) -> None:
        if seconds > 0 and seconds > deadline.current(self._clock).remaining():
            raise Busy(f"{why}; try again in {seconds:.0f} seconds", seconds)

    def _checked(self, request: Outgoing, reply: Reply) -> Reply:
        if reply.status in THROTTLED:
            raise Busy("Microsoft is busy", retry_after(reply.headers, self._clock.now()) or 30.0)
        if reply.status >= 500 and reply.status not in (501, 507):
            if not request.once:
                log.warning("%s %s failed with %d", request.method, origin(request.address), reply.status)
            if request.safe:
                raise BadUpstream(f"Microsoft's server failed ({reply.status})")
            raise UnknownOutcome(f"Microsoft's server failed ({reply.status}) and did not tell what it had done")
        return reply

    def _lost(self, request: Outgoing, broken: Broken) -> Exception:
        if not request.once:
            log.warning("%s %s: %s", request.method, origin(request.address), broken)
        if request.safe or not broken.sent:
            return BadUpstream("Microsoft's server cannot be reached")
        return UnknownOutcome("the connection broke before Microsoft answered")

    def _note(self, request: Outgoing, what: str, again: Again) -> None:
        log.info("%s %s: %s; again in %.1f s", request.method, origin(request.address), what, again.pause)


def _wants_another(reply: Reply, challenges: list[str | None]) -> bool:
    """Whether another token may help. Conditional access sends its challenge with 403, too (facts: Graph §10.8)."""
    told = _claims(reply)
    if reply.status == 401 and not challenges:
        return True
    # the same challenge twice: another process has refreshed meanwhile, without these claims
    return reply.status in (401, 403) and told is not None and len(challenges) < 2


def _claims(reply: Reply) -> str | None:
    """The JSON of a claims challenge (facts: Graph §10.8), or None."""
    challenge = reply.headers.get("www-authenticate", "")
    _, found, rest = challenge.partition('claims="')
    if not found:
        return None
    raw = rest.partition('"')[0]
    try:
        return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
    except ValueError:
        return None
