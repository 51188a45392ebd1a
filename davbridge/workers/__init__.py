"""Several processes that serve one bridge: a supervisor starts them, replaces the dead, and passes the end on."""

from davbridge.starting import loading

with loading():  # a worker is a new process, and this is its first import
    from davbridge.workers.supervisor import run

__all__ = ["run"]
