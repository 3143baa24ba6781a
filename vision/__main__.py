"""The command as a module: python -m vision train data=digits model=vit."""

import sys

from vision.cli import main

if __name__ == "__main__":  # and not where a sweep's worker imports what started it
    sys.exit(main())
