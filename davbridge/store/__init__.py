"""Durable state that several threads and processes share: the only package that imports `sqlite3`."""
