"""One function for each Graph operation; JSON becomes frozen dataclasses here and never leaves this package."""
