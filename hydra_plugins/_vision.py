"""Where Hydra finds our sweeper: it takes plugins only from below hydra_plugins.

The leading underscore keeps other Hydra programs in the same environment from importing torch while they
look for plugins.
"""

from vision.cli.sweeper import ResumingSweeper as _ResumingSweeper


class ResumingSweeper(_ResumingSweeper):
    """`vision.cli.sweeper.ResumingSweeper` under the name that Hydra asks for."""
