"""Which names the service takes, and when two are the same (§9.2, §9.3)."""

from __future__ import annotations

import unicodedata

from davbridge.emulator.problems import Problem

_FORBIDDEN = set('"*:<>?/\\|') | {chr(code) for code in range(32)} | {"\x7f"}
_RESERVED = {".lock", "con", "prn", "aux", "nul", "desktop.ini"}
_DEVICES = {f"{device}{number}" for device in ("com", "lpt") for number in range(10)}


def fold(name: str, *, linguistic: bool = False) -> str:
    """The comparison key: case-insensitive, NFC and NFD alike; `linguistic` also takes ligatures for their letters."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return folded.replace("æ", "ae").replace("œ", "oe") if linguistic else folded


def same_form(one: str, other: str) -> bool:
    """Whether two names differ in nothing but composition, which the service does not take for a rename (§4.2)."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def check(name: str, *, business: bool, folder: bool, at_root: bool) -> None:
    """Refuse what the service refuses.

    Raises:
        Problem: 400 `invalidRequest` with inner `invalidPath`.
    """
    lowered = name.lower()
    wrong = (
        not name
        or name in (".", "..")
        or bool(_FORBIDDEN & set(name))
        or name != name.strip(" ")
        or name.endswith(".")
        or lowered in _RESERVED
        or lowered in _DEVICES
        or name.startswith("~$")
        or len(name.encode("utf-16-le")) // 2 > 255
        or (business and "_vti_" in lowered)
        or (business and folder and name.startswith("~"))
        or (business and at_root and lowered == "forms")
    )
    if wrong:
        raise Problem(400, "invalidRequest", f"The provided name cannot be used: {name[:40]!r}", inner="invalidPath")


def numbered(name: str, number: int) -> str:
    """What conflictBehavior=rename makes of a taken name: `a.txt` → `a 1.txt`."""
    stem, dot, extension = name.rpartition(".")
    return f"{stem} {number}.{extension}" if dot and stem else f"{name} {number}"
