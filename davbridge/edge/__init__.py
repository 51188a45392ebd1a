"""The HTTP server: cheroot with strict framing, bounded everything, and no thread for a client that says nothing."""

from davbridge.edge.server import EdgeServer, Limits, Listener, Tls, make_server

__all__ = ["EdgeServer", "Limits", "Listener", "Tls", "make_server"]
