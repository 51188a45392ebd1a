"""Named places where a test has the process die, as by a power cut (facts/faults.md F41). Else they do nothing.

`DAVBRIDGE_KILL_AT="committed"` kills at the first pass, `"fragment sent#3"` at the third.
"""

from __future__ import annotations

import os
import signal

UPLOAD = (
    "spool filled",
    "session wanted",
    "session opened",  # the one moment when nobody but the service knows of the session
    "session journaled",
    "part sent",
    "fragment sent",
    "last fragment read",
    "committed",
    "session forgotten",
    "mirror told",
)
CONTENT = ("content stored", "mirror told")
REPLACING = ("replacing journaled", "target set aside", "target replaced", "replaced deleted")
SAVING = ("saved", "source deleted")
UPLOAD_IN_CHUNKS = ("upload assembled",)

_name, _, _count = os.environ.get("DAVBRIDGE_KILL_AT", "").partition("#")
_left = int(_count or 1)


def killpoint(name: str) -> None:
    """Die here, when the environment says so."""
    global _left  # noqa: PLW0603 - a process dies once
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
