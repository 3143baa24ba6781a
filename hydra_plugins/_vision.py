"""Where Hydra finds our sweeper and launchers: it takes plugins only from below hydra_plugins.

The leading underscore keeps other Hydra programs in the same environment from importing torch while they
look for plugins.
"""

from vision.cli.train.launchers.gpu_processes import GpuLauncher as _GpuLauncher
from vision.cli.train.launchers.ray_tasks import RayLauncher as _RayLauncher
from vision.cli.train.search.sweeper import OptunaSweeper as _OptunaSweeper
from vision.cli.train.sweeper import ResumingSweeper as _ResumingSweeper


class ResumingSweeper(_ResumingSweeper):
    """`vision.cli.train.sweeper.ResumingSweeper` under the name that Hydra asks for."""


class OptunaSweeper(_OptunaSweeper):
    """`vision.cli.train.search.sweeper.OptunaSweeper` under the name that Hydra asks for."""


class RayLauncher(_RayLauncher):
    """`vision.cli.train.launchers.ray_tasks.RayLauncher` under the name that Hydra asks for."""


class GpuLauncher(_GpuLauncher):
    """`vision.cli.train.launchers.gpu_processes.GpuLauncher` under the name that Hydra asks for."""
