"""``python -m reprise``: the command line."""

import sys

from reprise.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
