"""Resource units (§8): what a call costs, RateLimit headers from 80 % on, and 429 above the limit.

Harsher than the service where it does not say: the minute slides, so that a reset brings back the oldest units only,
and it is told up to a second too early; who comes again after Retry-After and before the reset is refused, and charged.
"""

from __future__ import annotations

from urllib.parse import unquote

from davbridge.emulator.httpd import Request
from davbridge.emulator.problems import Problem
from davbridge.emulator.world import World

_CHEAP = {"get item", "get content"}
_DEAR = {"permissions", "create link"}
_WINDOW = 60.0


def _cost(operation: str, request: Request) -> int:
    """Resource units (§8.2)."""
    if operation in _DEAR or "permissions" in request.query.get("$expand", ""):
        return 5
    if operation == "delta":
        return 1 if request.query.get("token") or "token=" in unquote(request.path) else 2
    return 1 if operation in _CHEAP else 2


def charge(world: World, operation: str, request: Request) -> dict[str, str]:
    """Book one call; rejected calls count too.

    Raises:
        Problem: 429 with Retry-After.
    """
    limit = world.quirks.resource_units_per_minute
    if not limit:
        return {}
    now = world.clock.monotonic()
    with world.lock:
        world.units = [(when, cost) for when, cost in world.units if now - when < _WINDOW]
        world.units.append((now, _cost(operation, request)))
        used = sum(cost for _, cost in world.units)
        reset = max(1, int(_WINDOW - (now - world.units[0][0])))
    headers = {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(max(0, limit - used)),
        "RateLimit-Reset": str(reset),
    }
    if used > limit:
        # the greater of the two headers counts
        early = str(max(1, reset // 2))
        raise Problem(429, "activityLimitReached", "Throttled", headers={**headers, "Retry-After": early})
    return headers if used >= 0.8 * limit else {}
