"""`python -m davbridge`."""

from davbridge.cli import main

if __name__ == "__main__":
    main()
