"""What each launcher and sweeper needs to be installed.

>>> check_plugins(["hydra/launcher=basic"], many=False)
"""

from collections.abc import Sequence
from importlib.util import find_spec

SEARCH = "hydra/sweeper=optuna"
# The module that a launcher or a sweeper needs, and the extra of this package that installs it.
NEEDED = {
    "hydra/launcher=local": ("hydra_plugins.hydra_joblib_launcher", "launchers"),
    "hydra/launcher=gpu": ("joblib", "launchers"),
    "hydra/launcher=submitit_local": ("hydra_plugins.hydra_submitit_launcher", "launchers"),
    "hydra/launcher=submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "launchers"),
    "hydra/launcher=ray": ("ray", "ray"),
    SEARCH: ("optuna", "optuna"),
}


def check_plugins(arguments: Sequence[str], *, many: bool) -> None:
    """Refuse a launcher or a sweeper that is not installed, and a search without -m.

    Args:
        arguments: of `vision train`.
        many: whether they are a sweep's.

    Raises:
        ValueError: the message names what to do.
    """
    for argument in arguments:
        module, extra = NEEDED.get(argument, ("", ""))
        if module and not _is_installed(module):
            raise ValueError(f"{argument} needs: pip install 'vit-vs-cnn[{extra}]'")
    if SEARCH in arguments and not many:
        raise ValueError(f"{SEARCH} searches over many runs: add -m")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that should contain it
        return False
