"""How many processes train the run together, and which of them this one is, from torchrun or Slurm.

>>> this_process_of_run().count
1
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessOfRun:
    """One of the processes of a run.

    Attributes:
        rank: from 0; process 0 writes the run's folder.
        count: of all processes.
        local_rank: rank among those of the same machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


ONLY_PROCESS = ProcessOfRun()


def this_process_of_run() -> ProcessOfRun:
    """Return which process this is, from the variables of torchrun, or of a step of Slurm."""
    variables = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(name in os.environ for name in variables):
        variables = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    if not all(name in os.environ for name in variables):
        return ONLY_PROCESS
    return ProcessOfRun(*(int(os.environ[name]) for name in variables))
