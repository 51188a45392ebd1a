"""Several processes that serve one bridge: a supervisor starts them, replaces the dead, and passes the end on."""

from davbridge.workers.supervisor import run

__all__ = ["run"]
