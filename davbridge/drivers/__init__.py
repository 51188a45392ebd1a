"""Drivers: the code that gives a policy its tree. Read `protocol` first."""
