"""One file a method: each is a function from a `Request` to a `Response`, and a line in `provider.VERBS`."""
