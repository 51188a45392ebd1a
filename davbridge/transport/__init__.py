"""Sending one request to Microsoft: deadline, retries, the shared throttle gate, host rules. The home of `requests`."""

from davbridge.transport.gate import Gates, MemoryGates
from davbridge.transport.hosts import HostRules
from davbridge.transport.message import Outgoing, Reply
from davbridge.transport.retry import RetryPolicy
from davbridge.transport.storedgates import StoredGates
from davbridge.transport.transport import Transport

__all__ = ["Gates", "HostRules", "MemoryGates", "Outgoing", "Reply", "RetryPolicy", "StoredGates", "Transport"]
