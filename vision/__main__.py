"""The command as a module, such as: python -m vision train data=digits model=vit."""

import os
import sys

# `python -m` searches the current folder first, where a file could stand in for a library.
if sys.path and sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))

from vision.cli import main

if __name__ == "__main__":  # not when a worker of a sweep imports this module
    sys.exit(main())
