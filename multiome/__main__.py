"""``python -m multiome`` is the command ``multiome``."""

import sys

from multiome.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
