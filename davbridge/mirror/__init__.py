"""What is known of each drive, on disk and shared by all processes. Read `docs/decisions/004`, then `mirror`."""
