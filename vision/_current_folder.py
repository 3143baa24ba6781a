"""Have `python -m vision` search the current folder last, where a file could stand in for a library.

Python searches it first. The command `vision` does not search it at all.
"""

import os
import sys

# While `python -m` looks for a package, this is the first of its arguments.
if sys.argv[:1] == ["-m"] and sys.path and sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))
