"""The status page at `/.davbridge/`, for people who look after the bridge: what stands how, and signing in again."""

from davbridge.page.findings import PagePolicy
from davbridge.page.page import StatusPage
from davbridge.page.sessions import PageUser

__all__ = ["PagePolicy", "PageUser", "StatusPage"]
