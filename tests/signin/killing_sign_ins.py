"""Sign-ins that are killed before each of their steps: run as a program, so that it can fork without threads.

`python -m tests.signin.killing_sign_ins FOLDER KILLS`, with an emulator's configuration in FOLDER/config.yaml. A step
is a call to Microsoft, or what is done to a file of the store: opened, written to the disk, linked, renamed, removed,
locked. A child signs in and kills itself before its n-th step; the next one gets one step further; when all are
through, it begins again. Two ways to sign in, each as the first one and over a former one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from davbridge.accounts import settings
from davbridge.clock import SystemClock
from davbridge.config import Config, load
from davbridge.tokens import TokenStore, open_account, sign_in
from davbridge.tokens.http import Http
from davbridge.tokens.record import Record, parse
from davbridge.tokens.sealing import open_seal
from tests.signin.conftest import Visitor

_EVENTS = ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "fcntl.flock")
_PATIENT = 0.55
"""The emulator tells who polls more often than every half a second to slow down."""


def kill_before(step: int, folder: Path) -> None:
    """From now on, this process dies before its `step`-th step."""
    done = 0

    def tick(*arguments: Any) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and (event == "fcntl.flock" or str(folder) in str(arguments[0])):
            tick()

    def ticking(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            tick()
            result = function(*arguments, **options)
            tick()
            return result

        return called

    sys.addaudithook(heard)
    os.fsync = ticking(os.fsync)
    Http.get, Http.post = ticking(Http.get), ticking(Http.post)  # type: ignore[method-assign]
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, _PATIENT))


def killed(config: Config, folder: Path, step: int) -> bool:
    """Whether a sign-in in a process of its own came to that step."""
    own = settings(config, "contoso")
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            kill_before(step, folder)
            visitor = Visitor(str(own.verify), has_browser=True)
            sign_in(own, TokenStore(folder), SystemClock(), visitor)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"a sign-in failed before step {step}")
    return os.WIFSIGNALED(status)


def look(folder: Path, *, empty: bool) -> None:
    """What is there: nothing, if it was the first sign-in, or a whole one; the former one, too."""
    with TokenStore(folder).locked("contoso", patience=5) as file:
        record = file.read()
    if not (empty and record == Record()) and ("0.R" not in record.cache or not record.person or not record.grant):
        sys.exit(f"a kill left {record!r}")
    previous = folder / "contoso.previous"
    if previous.exists() and "0.R" not in parse(open_seal(folder).open("contoso", previous.read_bytes())).cache:
        sys.exit("the former sign-in is damaged")


def main(folder: Path, kills: int) -> None:
    """Kill before each step, look each time, and in the end sign in and refresh."""
    config = load(folder / "config.yaml")
    account = config.accounts["contoso"]
    ways = {
        way: config.model_copy(update={"accounts": {"contoso": account.model_copy(update={"sign_in": way})}})
        for way in ("device_code", "browser")
    }
    cases = [(way, first) for way in ways for first in (False, True)]
    steps, longest, number = Counter(cases), Counter[Any](), 0
    while number < kills:
        for case in cases:
            way, first = case
            place = folder / (f"first-{way}-{number}" if first else f"again-{way}")
            if not first and not place.exists():
                killed(ways[way], place, 10_000)
            if killed(ways[way], place, steps[case]):
                number += 1
                longest[case] = max(longest[case], steps[case])
                steps[case] += 1
            else:
                steps[case] = 1
            look(place, empty=first)
    for way, own in ways.items():
        place = folder / f"again-{way}"
        killed(own, place, 10_000)
        opened = open_account(settings(own, "contoso"), TokenStore(place), SystemClock())
        opened.token(refused=opened.token())
        opened.close()
        print(number, longest[way, False], longest[way, True], *sorted(path.name for path in place.iterdir()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
