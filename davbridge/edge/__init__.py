"""The HTTP server: cheroot with strict framing, bounded everything, and no thread for a client that says nothing."""

from davbridge.edge.addresses import parse_listen
from davbridge.edge.places import Place, Reservation, reserve
from davbridge.edge.server import EdgeServer, Limits, Listener, Tls, make_server, tls_context
from davbridge.edge.switch import Leaving, Switch

__all__ = [
    "EdgeServer",
    "Leaving",
    "Limits",
    "Listener",
    "Place",
    "Reservation",
    "Switch",
    "Tls",
    "make_server",
    "parse_listen",
    "reserve",
    "tls_context",
]
