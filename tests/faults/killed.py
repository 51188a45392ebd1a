"""`python -m tests.faults.killed serve …`: `davbridge`, with a shorter pause between two looks at what was left."""

from __future__ import annotations

from davbridge import service
from davbridge.cli import main

if __name__ == "__main__":
    service._SETTLE_SECONDS = 0.2
    main()
