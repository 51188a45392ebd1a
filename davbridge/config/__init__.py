"""The configuration file: YAML into frozen models, and messages that name the line and the nearest key."""

from davbridge.config.account import Account, Cloud
from davbridge.config.load import load
from davbridge.config.model import Config, Policy

__all__ = ["Account", "Cloud", "Config", "Policy", "load"]
