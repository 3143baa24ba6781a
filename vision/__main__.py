"""The command as a module, such as: python -m vision train data=digits model=vit."""

import sys

from vision.cli import main

if __name__ == "__main__":  # not when a worker of a sweep imports this module
    sys.exit(main())
