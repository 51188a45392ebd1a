"""The mixed tree that the real clients carry back and forth, and how to compare two of them."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

MEGABYTE = 1_000_000
NAMES_AND_SIZES = {
    "empty.txt": 0,
    "five.bin": 5 * MEGABYTE,
    "hundred.bin": 100 * MEGABYTE,
    "with spaces.txt": 11,
    "hash # and 100 % + plus & more.txt": 12,
    "percent %41 looks escaped.txt": 13,
    "emoji 🦊.txt": 14,
    unicodedata.normalize("NFD", "décomposé/ångström.txt"): 15,
    "deep/er/and deeper/leaf.txt": 16,
}


def make_tree(root: Path, *, largest: int = 100 * MEGABYTE) -> Path:
    """Write the tree below `root`, leaving out files over `largest` bytes; contents differ from file to file."""
    for number, (name, size) in enumerate(NAMES_AND_SIZES.items()):
        if size > largest:
            continue
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        seed = hashlib.sha256(f"{number}".encode()).digest()
        # not one repeated block: a fragment stored in the wrong place must show
        with file.open("wb") as out:
            written = 0
            while written < size:
                block = hashlib.sha256(seed + written.to_bytes(8, "big")).digest() * 1024
                out.write(block[: size - written])
                written += len(block)
    return root


def digest(root: Path) -> dict[str, str]:
    """Names, to the byte, and SHA-256 of every file below `root`."""
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in root.rglob("*")
        if file.is_file()
    }
