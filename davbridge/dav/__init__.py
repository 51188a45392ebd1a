"""WebDAV: verbs, locks, properties, conditions. The only package that imports `wsgidav`; `provider` is the way in."""
