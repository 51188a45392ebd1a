"""`python -m tests.faults.killed serve …`: `davbridge`, with a shorter pause between two looks at what was left.

Fragments do not grow, so that an upload that is not very large has several.
"""

from __future__ import annotations

from davbridge.cli import main
from davbridge.starting import loading

with loading():
    from davbridge import service
    from davbridge.graph import tempo

if __name__ == "__main__":
    service._SETTLE_SECONDS = 0.2
    tempo.LARGEST = tempo.FIRST
    main()
